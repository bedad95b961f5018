#pragma once

#include <compute/kernel_table.hpp>

namespace weft::detail::WEFT_ISA {

void cross_entropy(const cross_entropy_arguments& arguments, std::int64_t row_begin, std::int64_t row_end);
void normalize(const normalize_arguments& arguments, std::int64_t row_begin, std::int64_t row_end);
void mask(const float* active, float* values, std::int64_t count);
void adam(const adam_arguments& arguments, std::int64_t begin, std::int64_t end);

}  // namespace weft::detail::WEFT_ISA
