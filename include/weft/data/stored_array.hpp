#pragma once

#include <weft/compute/dtype.hpp>
#include <weft/compute/tensor.hpp>

#include <algorithm>  // for std::copy
#include <cstddef>    // for std::byte
#include <cstdint>    // for std::int32_t, std::int64_t
#include <memory>     // for std::shared_ptr
#include <span>       // for std::span, std::as_writable_bytes
#include <string>     // for std::string
#include <vector>     // for std::vector

namespace weft {

struct npy_header;

namespace detail {
class kept_file;
}  // namespace detail

/// How an array of a .npz file is opened.
struct npz_options {
  /// The most bytes accepted of one that is compressed.
  std::int64_t limit = std::int64_t{4} << 30;
  /// Whether the checksum of one that is not compressed is compared, for which it is read once to its end;
  /// that of a compressed one always is.
  bool verify = true;
};

/// An array of numbers in a file of which only the header has been read: its rows, along the first axis, are
/// read when they are asked for. So it may be larger than memory. The file stays open; copies share it.
///
/// An array that is compressed within its file is the exception: it is inflated into memory when it is
/// opened, and its checksum verified.
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
class stored_array {
 public:
  /// The array of a .npy file.
  ///
  /// @param path the file
  /// @throws io_error if it cannot be read; format_error, naming the byte, if it is no .npy file, has another
  ///         length than its header says, is a scalar, or is stored column by column
  static stored_array npy(const std::string& path);

  /// An array of a .npz file, NumPy's zip archive of .npy files.
  ///
  /// @param path the file
  /// @param name which array, without ".npy"
  /// @param options see there
  /// @throws what npy() throws; format_error if the archive is damaged, or if the array is larger than the
  ///         limit or its checksum is wrong; invalid_argument, with the names there are, if none has this one
  static stored_array npz(const std::string& path, const std::string& name, npz_options options = {});

  /// A tensor of a safetensors file.
  ///
  /// @param path the file
  /// @param name which tensor
  /// @throws io_error if it cannot be read; format_error as safetensors_file, also if there is no such tensor
  ///         or if it is a scalar
  static stored_array safetensors(const std::string& path, const std::string& name);

  /// Records of the same length that follow one another to the end of a file, without a header.
  ///
  /// @param path the file
  /// @param type what a record consists of, in this machine's byte order
  /// @param record the extents of one record, e.g. {32, 32, 3}; none for a single value
  /// @param offset where the first record begins, in bytes
  /// @throws io_error if it cannot be read; format_error if it ends within a record or before the first;
  ///         invalid_argument if the offset is negative or a record has no bytes
  static stored_array raw(const std::string& path, dtype type, std::span<const std::int64_t> record,
                          std::int64_t offset = 0);

  /// The file, and in it the array's name if it has one: "a.npz/images".
  const std::string& name() const noexcept { return name_; }
  /// The type of the elements.
  dtype type() const noexcept { return type_; }
  /// The length of each axis, outermost first; at least one.
  std::span<const std::int64_t> extents() const noexcept { return extents_; }
  /// The first extent.
  std::int64_t rows() const noexcept { return extents_.front(); }
  /// How many elements a row has.
  std::int64_t row_size() const noexcept { return row_size_; }

  /// Reads rows, one after the other, into memory; where they are not in the system's cache, the system is
  /// told of all of them first, so that a disk can fetch them at the same time. Blocks its thread.
  ///
  /// @param indices which rows, in [0, rows()), not checked
  /// @param out their place, of their size
  /// @throws io_error if the file cannot be read; format_error if it has become shorter; shape_error if out
  /// has
  ///         another size
  void read_rows(std::span<const std::int64_t> indices, std::span<std::byte> out) const;

  /// A copy of the whole array. Blocks its thread.
  ///
  /// @throws what read_rows() throws; format_error if it is of another type or rank
  template <class T, int Rank>
  tensor<T, Rank> load() const {
    require(dtype_of_v<T>, Rank);
    shape_of_rank<Rank> extents{};
    std::copy(extents_.begin(), extents_.end(), extents.begin());
    tensor<T, Rank> result(extents);
    read_all(std::as_writable_bytes(result.view().elements()));
    return result;
  }

  /// The array as labels, from integers of any type. Blocks its thread.
  ///
  /// @throws what read_rows() throws; format_error if it is not one integer a row that 32 bits can hold
  std::vector<std::int32_t> labels() const;

  /// @throws format_error, naming both, if the elements are of another type
  void require(dtype type) const;

 private:
  stored_array() = default;
  void set_header(npy_header header, std::int64_t offset);
  void set_extents(std::vector<std::int64_t> extents);
  void require(dtype type, int rank) const;
  void read_all(std::span<std::byte> out) const;

  std::string name_;
  std::shared_ptr<const detail::kept_file> file_;          // or, if it is compressed,
  std::shared_ptr<const std::vector<std::byte>> content_;  // the array with its header
  std::int64_t begin_ = 0;                                 // the first element's byte in either
  dtype type_ = dtype::float32;
  std::vector<std::int64_t> extents_;
  std::int64_t row_size_ = 0;
};

/// The names of the arrays in a .npz file, without ".npy", in the file's order.
///
/// @param path the file
/// @throws what stored_array::npz() throws
/// Thread safety: safe. Blocks its thread.
std::vector<std::string> npz_names(const std::string& path);

}  // namespace weft
