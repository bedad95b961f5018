#pragma once

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
template <>
struct dtype_of<bool> {
  static constexpr dtype value = dtype::boolean;
};
template <>
struct dtype_of<std::uint8_t> {
  static constexpr dtype value = dtype::uint8;
};
template <>
struct dtype_of<std::int8_t> {
  static constexpr dtype value = dtype::int8;
};
template <>
struct dtype_of<std::uint16_t> {
  static constexpr dtype value = dtype::uint16;
};
template <>
struct dtype_of<std::int16_t> {
  static constexpr dtype value = dtype::int16;
};
template <>
struct dtype_of<std::uint32_t> {
  static constexpr dtype value = dtype::uint32;
};
template <>
struct dtype_of<std::int32_t> {
  static constexpr dtype value = dtype::int32;
};
template <>
struct dtype_of<float> {
  static constexpr dtype value = dtype::float32;
};
template <>
struct dtype_of<std::uint64_t> {
  static constexpr dtype value = dtype::uint64;
};
template <>
struct dtype_of<std::int64_t> {
  static constexpr dtype value = dtype::int64;
};
template <>
struct dtype_of<double> {
  static constexpr dtype value = dtype::float64;
};

/// dtype_of<T>::value.
template <class T>
inline constexpr dtype dtype_of_v = dtype_of<T>::value;

}  // namespace weft
