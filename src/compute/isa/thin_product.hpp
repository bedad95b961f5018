#pragma once

#include <compute/kernel_table.hpp>

namespace weft::detail::WEFT_ISA {

void thin_product(const thin_product_arguments& arguments, std::int64_t column_begin, std::int64_t column_end,
                  float* scratch);

}  // namespace weft::detail::WEFT_ISA
