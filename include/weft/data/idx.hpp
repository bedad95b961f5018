#pragma once

#include <cstdint>  // for std::int64_t, std::uint8_t
#include <span>     // for std::span
#include <string>   // for std::string
#include <vector>   // for std::vector

#include <weft/core/error.hpp>  // for weft::invalid_argument

namespace weft {

/// The element types of the IDX format, with their codes in the file.
enum class idx_type : std::uint8_t {
  /// Unsigned bytes.
  uint8 = 0x08,
  /// Signed bytes.
  int8 = 0x09,
  /// 16-bit signed integers.
  int16 = 0x0b,
  /// 32-bit signed integers.
  int32 = 0x0c,
  /// 32-bit IEEE floats.
  float32 = 0x0d,
  /// 64-bit IEEE floats.
  float64 = 0x0e,
};

/// The size of one element in bytes.
std::int64_t element_size(idx_type type) noexcept;

/// The type as messages print it: "uint8".
const char* to_string(idx_type type) noexcept;

namespace detail {

template <class T>
struct idx_code;
template <>
struct idx_code<std::uint8_t> {
  static constexpr idx_type value = idx_type::uint8;
};
template <>
struct idx_code<std::int8_t> {
  static constexpr idx_type value = idx_type::int8;
};
template <>
struct idx_code<std::int16_t> {
  static constexpr idx_type value = idx_type::int16;
};
template <>
struct idx_code<std::int32_t> {
  static constexpr idx_type value = idx_type::int32;
};
template <>
struct idx_code<float> {
  static constexpr idx_type value = idx_type::float32;
};
template <>
struct idx_code<double> {
  static constexpr idx_type value = idx_type::float64;
};

/// Copies the elements' bytes to out; throws invalid_argument if they are not of the type wanted.
void copy_idx_values(idx_type stored, idx_type wanted, std::span<const std::uint8_t> bytes, void* out);

}  // namespace detail

/// One array read from an IDX file, the format of the MNIST family: any number of dimensions, row-major.
struct idx_array {
  /// The type of the elements.
  idx_type type = idx_type::uint8;
  /// The extents, outermost first.
  std::vector<std::int64_t> extents;
  /// The elements, row-major, each in this machine's byte order (the file's is big-endian).
  std::vector<std::uint8_t> bytes;
  /// Where in the file's content the elements begin, for messages.
  std::int64_t payload_offset = 0;

  /// How many elements there are.
  std::int64_t count() const noexcept { return static_cast<std::int64_t>(bytes.size()) / element_size(type); }

  /// A copy of the elements as values.
  ///
  /// @tparam T the C++ type that matches type
  /// @throws invalid_argument if it does not match
  template <class T>
  std::vector<T> values() const {
    std::vector<T> copied(bytes.size() / sizeof(T));
    detail::copy_idx_values(type, detail::idx_code<T>::value, bytes, copied.data());
    return copied;
  }
};

/// What read_idx() accepts.
struct idx_options {
  /// The largest payload accepted, in bytes; checked against the header before anything is allocated.
  std::int64_t limit = std::int64_t{4} << 30;
};

/// Reads an IDX file, gzip or plain: two zero bytes, a type code, the number of dimensions, the extents as
/// 32-bit big-endian integers, then the elements and nothing else.
///
/// The payload that the header promises is compared with the limit, and with what the file's size on disk can
/// hold at all, before it is allocated; so memory use is the payload and one block of the file.
///
/// Source of the format: Yann LeCun, "The MNIST database of handwritten digits", section "File formats".
///
/// @param path the file
/// @param options what is accepted
/// @return the array
/// @throws format_error naming the stored byte if the magic, the type or the size is wrong, if extents
/// multiply
///         beyond 64 bits or the limit, or if the gzip data is not whole; io_error if the file cannot be
///         read; invalid_argument if the limit is negative
/// Thread safety: safe. Blocks its thread: call it on a pool's thread.
idx_array read_idx(const std::string& path, idx_options options = {});

}  // namespace weft
