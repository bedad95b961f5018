#pragma once

#include <weft/compute/dtype.hpp>
#include <weft/compute/tensor.hpp>

#include <cstdint>      // for std::int64_t
#include <ostream>      // for std::ostream
#include <span>         // for std::span
#include <string>       // for std::string
#include <type_traits>  // for std::remove_const_t

namespace weft {

namespace detail {

/// The elements as text, from the address of the first.
std::string print(const void* data, dtype type, std::span<const std::int64_t> extents,
                  std::span<const std::int64_t> strides, place where);

}  // namespace detail

/// A tensor as text, as NumPy prints an array: "float32 [2, 2]", a line break and "[[1, 2.5], [3, 4]]", an
/// inner array a line. Of an axis of more than six entries the first and the last three are shown if there
/// are more than a thousand elements. Floating-point numbers have the digits that tell them apart. Elements
/// in a GPU's memory are not shown: "float32 [2, 2] on cuda:0".
///
/// Thread safety: as reading the elements.
template <class T, int Rank>
std::string to_string(const strided_view<T, Rank>& view) {
  return detail::print(view.data(), dtype_of_v<std::remove_const_t<T>>, view.extents(), view.strides(),
                       view.where());
}
/// The same of a dense view.
template <class T, int Rank>
std::string to_string(const tensor_view<T, Rank>& view) {
  return to_string(view.strided());
}
/// The same of a tensor.
template <class T, int Rank>
std::string to_string(const tensor<T, Rank>& values) {
  return to_string(values.view());
}

/// Writes to_string() of it.
template <class T, int Rank>
std::ostream& operator<<(std::ostream& out, const strided_view<T, Rank>& view) {
  return out << to_string(view);
}
/// Writes to_string() of it.
template <class T, int Rank>
std::ostream& operator<<(std::ostream& out, const tensor_view<T, Rank>& view) {
  return out << to_string(view);
}
/// Writes to_string() of it.
template <class T, int Rank>
std::ostream& operator<<(std::ostream& out, const tensor<T, Rank>& values) {
  return out << to_string(values);
}

}  // namespace weft
