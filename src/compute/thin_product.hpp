#pragma once

#include <compute/kernel_table.hpp>
#include <weft/compute/cpu_context.hpp>

#include <cstdint>  // for std::int64_t

namespace weft::detail {

/// Runs a product of few rows, or of one column, by reading its large factor as it lies in memory. Returns
/// false, and does nothing, where blocks of registers are faster. Which it is depends on the shapes only.
bool run_thin_product(const cpu_context& context, const product_arguments& arguments, std::int64_t rows,
                      std::int64_t columns);

}  // namespace weft::detail
