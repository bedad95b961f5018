#pragma once

#include <weft/compute/cuda_context.hpp>
#include <weft/compute/tensor.hpp>

#include <cstdint>   // for std::int64_t
#include <optional>  // for std::optional

namespace weft::detail {

/// The first of the rows, which lie on a GPU, that is outside [0, limit); waits for it. There must be rows.
std::optional<std::int64_t> find_bad_row(const cuda_context& context, tensor_view<const std::int64_t, 1> rows,
                                         std::int64_t limit);

}  // namespace weft::detail
