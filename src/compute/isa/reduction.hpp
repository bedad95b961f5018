#pragma once

#include <compute/kernel_table.hpp>

namespace weft::detail::WEFT_ISA {

void reduce_rows(const reduction_arguments& arguments);
void reduce_columns(const reduction_arguments& arguments);
double sum_of_squares(const float* values, std::int64_t count);

}  // namespace weft::detail::WEFT_ISA
