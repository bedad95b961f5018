#pragma once

#include <weft/compute/dtype.hpp>
#include <weft/compute/strided_view.hpp>

#include <array>        // for std::array
#include <concepts>     // for std::same_as
#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::int64_t
#include <string>       // for std::string
#include <tuple>        // for std::tuple_size_v
#include <type_traits>  // for std::remove_cvref_t

namespace weft {

class cpu_context;
class cuda_context;

namespace detail {

/// Either context: a kernel whose backends differ below the surface only.
template <class C>
concept any_context = std::same_as<C, cpu_context> || std::same_as<C, cuda_context>;

/// Whether a type is a tensor or a view of elements of type T.
template <class A, class T>
concept array_like = requires(const A& values) {
  values.data();
  values.extents();
  values.where();
  requires std::same_as<typename A::value_type, T>;
};

/// A view without its types.
struct array {
  static constexpr int most_axes = 8;

  const void* data = nullptr;
  dtype type = dtype::float32;
  int rank = 0;
  std::array<std::int64_t, most_axes> extents{};
  std::array<std::int64_t, most_axes> strides{};

  std::int64_t size() const noexcept {
    std::int64_t count = 1;
    for (int axis = 0; axis < rank; ++axis) count *= extents[static_cast<std::size_t>(axis)];
    return count;
  }
  std::string shape_text() const {
    std::string text = "[";
    for (int axis = 0; axis < rank; ++axis) {
      text += (axis == 0 ? "" : ", ") + std::to_string(extents[static_cast<std::size_t>(axis)]);
    }
    return text + "]";
  }
};

template <class A>
array array_of(const A& values) {
  constexpr std::size_t rank = std::tuple_size_v<std::remove_cvref_t<decltype(values.extents())>>;
  static_assert(rank <= array::most_axes, "kernels take at most eight axes");
  array result{
      .data = values.data(), .type = dtype_of_v<typename A::value_type>, .rank = static_cast<int>(rank)};
  const strided_view<const typename A::value_type, static_cast<int>(rank)> view = [&] {
    if constexpr (requires { values.strides(); }) {
      return values;
    } else {
      return strided_view<const typename A::value_type, static_cast<int>(rank)>(
          values.data(), values.extents(),
          strided_view<const typename A::value_type, static_cast<int>(rank)>::dense_strides(
              values.extents()));
    }
  }();
  for (std::size_t axis = 0; axis < rank; ++axis) {
    result.extents[axis] = view.extents()[axis];
    result.strides[axis] = view.strides()[axis];
  }
  return result;
}

}  // namespace detail
}  // namespace weft
