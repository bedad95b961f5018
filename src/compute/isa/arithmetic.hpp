#pragma once

#include <compute/kernel_table.hpp>

namespace weft::detail::WEFT_ISA {

void binary(const binary_arguments& arguments);
void unary(unary_operation operation, const float* input, float* output, std::int64_t count);
void reduce_row(reduction operation, number type, const void* row, std::int64_t count, partial& result);
void reduce_columns(reduction operation, number type, const void* first, std::int64_t count,
                    std::int64_t stride, std::int64_t width, partial* results);
double sum_of_squares(const float* values, std::int64_t count);

}  // namespace weft::detail::WEFT_ISA
