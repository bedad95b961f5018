#pragma once

#include <compute/kernel_table.hpp>

namespace weft::detail::WEFT_ISA {

void large_product(const product_arguments& arguments, const tile& area, float* scratch);
void product(const product_arguments& arguments, const tile& area, float* scratch);

}  // namespace weft::detail::WEFT_ISA
