#pragma once

#include <compute/kernel_table.hpp>
#include <weft/compute/kernels/adam.hpp>

#include <cstdint>  // for std::int64_t

namespace weft::detail {

/// What the kernels need of the options at a step, computed in double precision. Throws invalid_argument for
/// an option or a step that is out of range.
adam_coefficients coefficients_of(const adam_options& options, std::int64_t step);

}  // namespace weft::detail
