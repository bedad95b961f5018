#pragma once

#include <compute/kernel_table.hpp>

namespace weft::detail::WEFT_ISA {

void linear_forward(const linear_forward_arguments& arguments, const tile& area, float* scratch);
void weight_gradient(const weight_gradient_arguments& arguments, const tile& area, float* scratch);
void input_gradient(const input_gradient_arguments& arguments, const tile& area, float* scratch);

}  // namespace weft::detail::WEFT_ISA
