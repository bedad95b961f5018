#pragma once

#include <weft/compute/dtype.hpp>
#include <weft/compute/tensor.hpp>

#include <algorithm>  // for std::copy
#include <cstddef>    // for std::byte
#include <cstdint>    // for std::int64_t
#include <cstring>    // for std::memcpy
#include <map>        // for std::map
#include <span>       // for std::span, std::as_bytes
#include <string>     // for std::string
#include <utility>    // for std::move
#include <vector>     // for std::vector

namespace weft {

// The safetensors format, as https://github.com/huggingface/safetensors describes it: eight bytes with the
// header's length N (unsigned, little-endian), N bytes of JSON {"NAME": {"dtype": "F32", "shape": [2, 3],
// "data_offsets": [BEGIN, END]}, ..., "__metadata__": {"KEY": "TEXT"}}, and then the tensors' bytes,
// row-major and little-endian, without gaps; the offsets count from the end of the header.

/// One tensor to be written: a name and borrowed bytes.
struct safetensors_entry {
  /// No tensor.
  safetensors_entry() = default;

  /// @param tensor_name its name in the file; @param view its elements, which must stay alive until written
  template <class T, int Rank>
  safetensors_entry(std::string tensor_name, tensor_view<T, Rank> view)
      : name(std::move(tensor_name)),
        type(dtype_of_v<std::remove_const_t<T>>),
        extents(view.extents().begin(), view.extents().end()),
        bytes(std::as_bytes(view.elements())) {
    detail::require_host("safetensors_entry", view.where());
  }

  /// Its name in the file.
  std::string name;
  /// The type of its elements.
  dtype type = dtype::float32;
  /// The length of each axis, outermost first.
  std::vector<std::int64_t> extents;
  /// Its elements, row-major.
  std::span<const std::byte> bytes;
};

/// Writes tensors to a file, in the order given. The file is complete or not there: it is written under a
/// name of its own in the same folder and renamed.
///
/// @param path the file, replaced if it exists
/// @param entries the tensors; throws invalid_argument for a name that is empty, "__metadata__" or there
/// twice, and for bytes that are not as many as the shape and type say
/// @param metadata free texts
///
/// Throws io_error naming the file.
///
/// Thread safety: safe for distinct files.
void write_safetensors(const std::string& path, std::span<const safetensors_entry> entries,
                       const std::map<std::string, std::string>& metadata = {});

/// The tensors of a safetensors file, read into memory and checked.
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
class safetensors_file {
 public:
  /// Where a tensor lies and what it is.
  struct entry {
    /// Its name.
    std::string name;
    /// The type of its elements.
    dtype type;
    /// The length of each axis, outermost first.
    std::vector<std::int64_t> extents;
    /// Its first byte in the file.
    std::int64_t begin;
    /// One past its last byte in the file.
    std::int64_t end;
  };

  /// Reads a file.
  ///
  /// @param path the file
  ///
  /// Throws io_error if it cannot be read; format_error, naming the file and the byte, if it is cut short, if
  /// the header is longer than the file or 100 MB, is not the JSON the format asks for, has an unknown dtype
  /// or a tensor twice, or if offsets overlap, leave gaps, or do not match shape and type.
  explicit safetensors_file(std::string path);

  /// The file.
  const std::string& path() const noexcept { return path_; }
  /// The tensors in the order of their bytes.
  std::span<const entry> entries() const noexcept { return entries_; }
  /// The texts under "__metadata__".
  const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }
  /// Whether there is a tensor of that name.
  bool contains(const std::string& name) const noexcept;
  /// What is known of a tensor; throws format_error, naming file and tensor, if there is none.
  const entry& find(const std::string& name) const;

  /// A copy of a tensor; throws format_error, naming the file, the tensor and both types or ranks, if it is
  /// missing or of another type or rank.
  template <class T, int Rank>
  tensor<T, Rank> load(const std::string& name) const {
    const entry& found = find(name);
    require(found, dtype_of_v<T>, Rank);
    shape_of_rank<Rank> extents{};
    std::copy(found.extents.begin(), found.extents.end(), extents.begin());
    tensor<T, Rank> result(extents);
    if (!result.empty()) {
      std::memcpy(result.data(), bytes_.data() + found.begin,
                  static_cast<std::size_t>(found.end - found.begin));
    }
    return result;
  }

 private:
  void require(const entry& found, dtype type, int rank) const;

  std::string path_;
  std::vector<std::byte> bytes_;
  std::vector<entry> entries_;
  std::map<std::string, std::string> metadata_;
};

/// What the header of a safetensors file says.
struct safetensors_header {
  /// The tensors in the order of their bytes.
  std::vector<safetensors_file::entry> entries;
  /// The texts under "__metadata__".
  std::map<std::string, std::string> metadata;
};

/// Reads the header of a safetensors file alone, so that its tensors may be larger than memory.
///
/// @param path the file
///
/// Throws what safetensors_file's constructor throws.
///
/// Thread safety: safe.
safetensors_header read_safetensors_header(const std::string& path);

}  // namespace weft
