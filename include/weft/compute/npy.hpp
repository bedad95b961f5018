#pragma once

#include <weft/compute/dtype.hpp>
#include <weft/compute/tensor.hpp>

#include <algorithm>    // for std::copy
#include <array>        // for std::array
#include <cstddef>      // for std::byte, std::size_t
#include <cstdint>      // for std::int64_t
#include <cstring>      // for std::memcpy
#include <span>         // for std::span, std::as_bytes
#include <string>       // for std::string
#include <type_traits>  // for std::remove_const_t
#include <vector>       // for std::vector

namespace weft {

// The .npy format, as https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html describes it:
// the bytes 93 4E 55 4D 50 59, two of a version, the header's length (little-endian, two bytes in version 1
// and four later), a Python dictionary {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } and then
// the elements.

namespace detail {

void write_npy(const std::string& path, dtype type, std::span<const std::int64_t> extents,
               std::span<const std::byte> bytes);

}  // namespace detail

/// Writes a tensor as numpy.save() does. The file is complete or not there: it is written under a name of its
/// own in the same folder and renamed. NumPy has no bfloat16; it reads such a file as void of two bytes.
///
/// @param path the file, replaced if it exists; @param view what is written, in host memory
///
/// Throws io_error naming the file; invalid_argument for a GPU's memory.
///
/// Thread safety: safe for distinct files.
template <class T, int Rank>
void write_npy(const std::string& path, tensor_view<T, Rank> view) {
  detail::require_host("write_npy", view.where());
  detail::write_npy(path, dtype_of_v<std::remove_const_t<T>>, view.extents(), std::as_bytes(view.elements()));
}

/// What the header of an array in the .npy format says.
struct npy_header {
  /// The type of the elements.
  dtype type = dtype::float32;
  /// The length of each axis, outermost first; empty for a scalar.
  std::vector<std::int64_t> extents = {};
  /// Whether neighbours of the first axis, not of the last, are neighbours in the file.
  bool column_major = false;
  /// How long the header is: where the first element's byte is.
  std::int64_t bytes = 0;
};

/// Reads the header of an array in the .npy format and compares it with the array's size.
///
/// @param path what errors name; @param front the file's first bytes, or all of it: the header or more
/// @param size how many bytes the file has
///
/// Throws what npy_file's constructor throws for its bytes.
///
/// Thread safety: safe.
npy_header read_npy_header(const std::string& path, std::span<const std::byte> front, std::int64_t size);

/// The array of a .npy file, read into memory and checked.
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
class npy_file {
 public:
  /// Reads a file.
  ///
  /// @param path the file
  ///
  /// Throws io_error if it cannot be read; format_error, naming the file and the byte, if it is cut short or
  /// has more bytes than its shape and type say, if the header is not the dictionary the format asks for, and
  /// for types that are no dtype of weft (structures, texts, complex numbers, big-endian numbers).
  explicit npy_file(std::string path);

  /// The file.
  const std::string& path() const noexcept { return path_; }
  /// The type of its elements.
  dtype type() const noexcept { return header_.type; }
  /// The length of each axis, outermost first; empty for a scalar.
  std::span<const std::int64_t> extents() const noexcept { return header_.extents; }
  /// Whether neighbours of the first axis, not of the last, are neighbours in the file.
  bool column_major() const noexcept { return header_.column_major; }

  /// A copy of the array, row-major whatever the file's order; throws format_error, naming the file and both
  /// types or ranks, if it is of another type or rank.
  template <class T, int Rank>
  tensor<T, Rank> load() const {
    require(dtype_of_v<T>, Rank);
    shape_of_rank<Rank> extents{};
    std::copy(header_.extents.begin(), header_.extents.end(), extents.begin());
    tensor<T, Rank> result(extents);
    if (result.empty()) return result;
    const std::span<const std::byte> elements =
        std::span(bytes_).subspan(static_cast<std::size_t>(header_.bytes));
    if (!header_.column_major) {
      std::memcpy(result.data(), elements.data(), elements.size());
      return result;
    }
    shape_of_rank<Rank> reversed{};
    std::copy(header_.extents.rbegin(), header_.extents.rend(), reversed.begin());
    tensor<T, Rank> stored(reversed);
    std::memcpy(stored.data(), elements.data(), elements.size());
    std::array<int, static_cast<std::size_t>(Rank)> order{};
    for (int axis = 0; axis < Rank; ++axis) order[static_cast<std::size_t>(axis)] = Rank - 1 - axis;
    copy<T, Rank>(strided_view<const T, Rank>(stored.view().strided().permute(order)),
                  strided_view<T, Rank>(result.view()));
    return result;
  }

 private:
  void require(dtype type, int rank) const;

  std::string path_;
  std::vector<std::byte> bytes_;
  npy_header header_;
};

/// npy_file(path).load<T, Rank>().
template <class T, int Rank>
tensor<T, Rank> load_npy(const std::string& path) {
  return npy_file(path).load<T, Rank>();
}

}  // namespace weft
