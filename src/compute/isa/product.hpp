#pragma once

#include <compute/kernel_table.hpp>

namespace weft::detail::WEFT_ISA {

void large_product(const product_arguments& arguments, const stretch& part, const tile& area,
                   const float* right, float* scratch);
void pack_right(const product_arguments& arguments, const stretch& part, std::int64_t column_begin,
                std::int64_t column_end, float* to);
void product(const product_arguments& arguments, const tile& area, float* scratch);

}  // namespace weft::detail::WEFT_ISA
