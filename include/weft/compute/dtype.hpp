#pragma once

#include <weft/compute/float16.hpp>

#include <cstdint>      // for std::int64_t
#include <string_view>  // for std::string_view

namespace weft {

/// The type of a tensor's elements, as files and messages name it.
enum class dtype {
  boolean,   ///< one byte, 0 or 1
  uint8,     ///< unsigned, 8 bits
  int8,      ///< signed, 8 bits
  uint16,    ///< unsigned, 16 bits
  int16,     ///< signed, 16 bits
  float16,   ///< IEEE 754 binary16
  bfloat16,  ///< the upper half of a binary32
  uint32,    ///< unsigned, 32 bits
  int32,     ///< signed, 32 bits
  float32,   ///< IEEE 754 binary32
  uint64,    ///< unsigned, 64 bits
  int64,     ///< signed, 64 bits
  float64    ///< IEEE 754 binary64
};

/// "float32", "int64" and so on.
std::string_view to_string(dtype type) noexcept;

/// The size of one element in bytes.
std::int64_t size_of(dtype type) noexcept;

/// The dtype of a C++ type; not defined for types that are none.
template <class T>
struct dtype_of;
/// The dtype of bool.
template <>
struct dtype_of<bool> {
  /// How a tensor of it is stored.
  static constexpr dtype value = dtype::boolean;
};
/// The dtype of std::uint8_t.
template <>
struct dtype_of<std::uint8_t> {
  /// How a tensor of it is stored.
  static constexpr dtype value = dtype::uint8;
};
/// The dtype of std::int8_t.
template <>
struct dtype_of<std::int8_t> {
  /// How a tensor of it is stored.
  static constexpr dtype value = dtype::int8;
};
/// The dtype of std::uint16_t.
template <>
struct dtype_of<std::uint16_t> {
  /// How a tensor of it is stored.
  static constexpr dtype value = dtype::uint16;
};
/// The dtype of std::int16_t.
template <>
struct dtype_of<std::int16_t> {
  /// How a tensor of it is stored.
  static constexpr dtype value = dtype::int16;
};
/// The dtype of half.
template <>
struct dtype_of<half> {
  /// How a tensor of it is stored.
  static constexpr dtype value = dtype::float16;
};
/// The dtype of bfloat16.
template <>
struct dtype_of<bfloat16> {
  /// How a tensor of it is stored.
  static constexpr dtype value = dtype::bfloat16;
};
/// The dtype of std::uint32_t.
template <>
struct dtype_of<std::uint32_t> {
  /// How a tensor of it is stored.
  static constexpr dtype value = dtype::uint32;
};
/// The dtype of std::int32_t.
template <>
struct dtype_of<std::int32_t> {
  /// How a tensor of it is stored.
  static constexpr dtype value = dtype::int32;
};
/// The dtype of float.
template <>
struct dtype_of<float> {
  /// How a tensor of it is stored.
  static constexpr dtype value = dtype::float32;
};
/// The dtype of std::uint64_t.
template <>
struct dtype_of<std::uint64_t> {
  /// How a tensor of it is stored.
  static constexpr dtype value = dtype::uint64;
};
/// The dtype of std::int64_t.
template <>
struct dtype_of<std::int64_t> {
  /// How a tensor of it is stored.
  static constexpr dtype value = dtype::int64;
};
/// The dtype of double.
template <>
struct dtype_of<double> {
  /// How a tensor of it is stored.
  static constexpr dtype value = dtype::float64;
};

/// dtype_of<T>::value.
template <class T>
inline constexpr dtype dtype_of_v = dtype_of<T>::value;

}  // namespace weft
