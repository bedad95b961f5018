#pragma once

#include <weft/data/loader_options.hpp>

#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::int64_t
#include <memory>   // for std::shared_ptr
#include <span>     // for std::span
#include <string>   // for std::string
#include <vector>   // for std::vector

namespace weft {

namespace detail {
class kept_file;
}  // namespace detail

/// What is accepted of a file of lines.
struct line_options {
  /// The longest line accepted, in bytes.
  std::int64_t limit = std::int64_t{16} << 20;
};

/// A loader's source: the lines of text files, e.g. of JSON, without their ends ("\n" or "\r\n"). An empty
/// line is a sample too; behind the last end there is one only if it is not empty.
///
/// The constructor reads the files once to find the lines, so an epoch has every line exactly once, over any
/// number of ranks, and can be resumed anywhere; so the files must not be compressed. Memory: eight bytes a
/// line. The first 128 files stay open; the others are opened for each read.
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
class line_files {
 public:
  /// What a loader's batches are.
  using batch_type = std::vector<std::string>;

  /// Finds the lines of all files. Blocks.
  ///
  /// @param files their paths, in the order of their lines; @param options see there
  /// @throws io_error if one cannot be read; format_error, naming the byte, if a line is longer than the
  /// limit
  ///         or the file is gzip; invalid_argument if there is no file or the limit is not positive
  explicit line_files(const std::vector<std::string>& files, line_options options = {});

  /// How many lines there are.
  std::int64_t size() const noexcept;
  /// The file of a line, and its number from 1. @param index which one, in [0, size()), not checked
  std::string name(std::int64_t index) const;

  /// Gives a batch place for so many lines. @param batch whose memory is used again; @param samples how many
  void prepare(batch_type& batch, std::int64_t samples) const {
    batch.resize(static_cast<std::size_t>(samples));
  }
  /// Has the system fetch a line, and does not wait. @param index which one, in [0, size()), not checked
  void will_need(std::int64_t index) const;
  /// Reads a line into its row. @param request which one, and where to; @param batch prepared for more rows
  /// than request.row
  /// @return its size in bytes
  /// @throws io_error if the file cannot be read; format_error if it has become shorter
  std::int64_t load(const sample_request& request, batch_type& batch) const;
  /// Drops all rows but these. @param batch what is made smaller @param rows ascending
  void keep(batch_type& batch, std::span<const std::int64_t> rows) const;

 private:
  struct file {
    std::shared_ptr<const detail::kept_file> content;
    std::int64_t first_line;
  };

  void find_lines(const file& in, const line_options& options);
  const file& file_of(std::int64_t index) const;

  std::vector<file> files_;
  // Where each line begins; behind the lines of each file, its end. So line i of file f is number i + f here.
  std::vector<std::int64_t> begins_;
};

}  // namespace weft
