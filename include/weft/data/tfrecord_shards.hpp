#pragma once

#include <weft/data/loader_options.hpp>

#include <cstdint>  // for std::int64_t, std::uint8_t, std::uint32_t
#include <memory>   // for std::shared_ptr
#include <span>     // for std::span
#include <string>   // for std::string
#include <vector>   // for std::vector

namespace weft {

namespace detail {
class kept_file;
}  // namespace detail

/// What is accepted of files of records.
struct tfrecord_options {
  /// The largest record accepted, in bytes.
  std::int64_t limit = std::int64_t{1} << 30;
  /// Whether the checksum of a record is compared when it is loaded; that of its length always is.
  bool verify = true;
};

/// A loader's source: the records of files in TensorFlow's TFRecord format, as bytes of any length. Each is a
/// length of eight bytes and its checksum, the bytes and their checksum
/// (https://www.tensorflow.org/tutorials/ load_data/tfrecord); checksums are CRC-32C, turned by 15 bits and
/// added to a282ead8, little-endian.
///
/// The constructor reads the lengths alone, so an epoch has every record exactly once, over any number of
/// ranks, and can be resumed anywhere; so the files must not be compressed. Memory: twelve bytes a record.
/// The first 128 files stay open; the others are opened for each read.
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
class tfrecord_shards {
 public:
  /// What a loader's batches are.
  using batch_type = std::vector<std::vector<std::uint8_t>>;

  /// Finds the records of all files. Blocks.
  ///
  /// @param files their paths, in the order of their records; @param options see there
  /// @throws io_error if one cannot be read; format_error, naming the byte, if one ends within a record, is
  ///         gzip, a length's checksum is wrong or a record is larger than the limit; invalid_argument if
  ///         there is no file or the limit is negative
  explicit tfrecord_shards(const std::vector<std::string>& files, tfrecord_options options = {});

  /// How many records there are.
  std::int64_t size() const noexcept { return static_cast<std::int64_t>(begins_.size()); }
  /// The file of a record, and its number from 0. @param index which one, in [0, size()), not checked
  std::string name(std::int64_t index) const;

  /// Gives a batch place for so many records. @param batch whose memory is used again; @param samples how
  /// many
  void prepare(batch_type& batch, std::int64_t samples) const {
    batch.resize(static_cast<std::size_t>(samples));
  }
  /// Has the system fetch a record, and does not wait. @param index which one, in [0, size()), not checked
  void will_need(std::int64_t index) const;
  /// Reads a record into its row. @param request which one, and where to; @param batch prepared for more rows
  /// than request.row
  /// @return its size in bytes
  /// @throws io_error if the file cannot be read; format_error if it has become shorter, or if the checksum
  /// is
  ///         wrong
  std::int64_t load(const sample_request& request, batch_type& batch) const;
  /// Drops all rows but these. @param batch what is made smaller @param rows ascending
  void keep(batch_type& batch, std::span<const std::int64_t> rows) const;

 private:
  struct file {
    std::shared_ptr<const detail::kept_file> content;
    std::int64_t first_record;
  };

  void find_records(const file& in);
  const file& file_of(std::int64_t index) const;

  tfrecord_options options_;
  std::vector<file> files_;
  std::vector<std::int64_t> begins_;  // of the bytes of each record
  std::vector<std::uint32_t> sizes_;
};

}  // namespace weft
