#pragma once

#include <compute/kernel_table.hpp>

namespace weft::detail::WEFT_ISA {

void binary(const binary_arguments& arguments);
void unary(const unary_arguments& arguments);

}  // namespace weft::detail::WEFT_ISA
