#pragma once

#include <compute/kernel_table.hpp>
#include <weft/compute/detail/array.hpp>

namespace weft::detail {

/// The element type of arithmetic; the others never get here.
inline number number_of(dtype type) noexcept {
  switch (type) {
    case dtype::float64:
      return number::float64;
    case dtype::int32:
      return number::int32;
    case dtype::int64:
      return number::int64;
    default:
      return number::float32;
  }
}

/// Two operands repeated to an output's shape, in as few axes as their strides allow; the last axis is the
/// innermost.
struct broadcast_loop {
  int rank = 0;
  std::array<std::int64_t, array::most_axes> extents{};
  std::array<std::int64_t, array::most_axes> left{};
  std::array<std::int64_t, array::most_axes> right{};
};

/// Throws shape_error, naming the operation and both shapes, unless left and right can be repeated to the
/// output's shape.
broadcast_loop broadcast(const char* name, const array& left, const array& right, const array& output);

}  // namespace weft::detail
