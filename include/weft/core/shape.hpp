#pragma once

#include <array>    // for std::array
#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::int64_t
#include <string>   // for std::string

namespace weft {

/// The extents of a row-major array, outermost first.
template <std::size_t Rank>
using shape = std::array<std::int64_t, Rank>;

/// The number of elements of an array of this shape: 1 for rank 0, 0 if any extent is 0.
template <std::size_t Rank>
constexpr std::int64_t element_count(const shape<Rank>& extents) noexcept {
  std::int64_t count = 1;
  for (const std::int64_t extent : extents) count *= extent;
  return count;
}

/// The shape as messages print it: "[128, 784]".
template <std::size_t Rank>
std::string to_string(const shape<Rank>& extents) {
  std::string text = "[";
  for (std::size_t axis = 0; axis < Rank; ++axis) {
    if (axis != 0) text += ", ";
    text += std::to_string(extents[axis]);
  }
  return text + "]";
}

}  // namespace weft
