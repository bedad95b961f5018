#pragma once

#include <compute/kernel_table.hpp>

namespace weft::detail::WEFT_ISA {

void convolve(const convolution_arguments& arguments, float* scratch);
void correlate(const correlation_arguments& arguments);

}  // namespace weft::detail::WEFT_ISA
