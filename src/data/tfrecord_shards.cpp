#include <data/kept_file.hpp>
#include <weft/core/error.hpp>
#include <weft/data/tfrecord_shards.hpp>

#include <boost/crc.hpp>  // for boost::crc_optimal

#include <sys/uio.h>  // for iovec

#include <algorithm>  // for std::upper_bound, std::min
#include <array>      // for std::array
#include <bit>        // for std::endian, std::rotr
#include <cstddef>    // for std::size_t
#include <cstring>    // for std::memcpy
#include <limits>     // for std::numeric_limits
#include <utility>    // for std::swap

static_assert(std::endian::native == std::endian::little, "TFRecord files are little-endian");

namespace weft {
namespace {

constexpr std::int64_t head_bytes = 12;
constexpr std::int64_t foot_bytes = 4;
constexpr std::size_t record_block_bytes = std::size_t{64} * 1024;
constexpr std::int64_t largest_record = std::numeric_limits<std::uint32_t>::max();

std::uint32_t masked_checksum(std::span<const std::uint8_t> bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return std::rotr(static_cast<std::uint32_t>(crc.checksum()), 15) + 0xa282ead8U;
}

/// Reads small pieces of a file at ascending places, through a block of it.
class block_reader {
 public:
  explicit block_reader(const open_file& file) : file_(file), block_(record_block_bytes) {}

  /// The bytes there, fewer where the file ends. @param count at most record_block_bytes
  std::span<const std::uint8_t> at(std::int64_t offset, std::size_t count) {
    if (offset < begin_ || offset + static_cast<std::int64_t>(count) > begin_ + filled_) {
      begin_ = offset;
      filled_ = static_cast<std::int64_t>(file_.read_some_at(offset, block_));
    }
    const auto skipped = static_cast<std::size_t>(offset - begin_);
    const auto there = static_cast<std::size_t>(filled_) - skipped;
    return std::span<const std::uint8_t>(block_).subspan(skipped, std::min(count, there));
  }

 private:
  const open_file& file_;
  std::vector<std::uint8_t> block_;
  std::int64_t begin_ = 0;
  std::int64_t filled_ = 0;
};

}  // namespace

tfrecord_shards::tfrecord_shards(const std::vector<std::string>& files, tfrecord_options options)
    : options_(options) {
  if (files.empty()) throw invalid_argument("tfrecord_shards: there is no file");
  if (options_.limit < 0 || options_.limit > largest_record) {
    throw invalid_argument("tfrecord_options.limit is " + std::to_string(options_.limit) +
                           "; it must be from 0 to " + std::to_string(largest_record));
  }
  for (const std::string& path : files) {
    files_.push_back(
        {std::make_shared<const detail::kept_file>(path, files_.size() < detail::most_kept_open), size()});
    find_records(files_.back());
  }
}

void tfrecord_shards::find_records(const file& in) {
  in.content->with([&](const open_file& content) {
    const std::string& path = in.content->path();
    const std::int64_t size = content.size();
    block_reader reader(content);
    for (std::int64_t at = 0; at < size;) {
      const std::span<const std::uint8_t> head = reader.at(at, head_bytes);
      if (head.size() < head_bytes) {
        throw format_error(path, at + static_cast<std::int64_t>(head.size()),
                           "the file ends within the length of a record: it is truncated");
      }
      std::uint64_t length = 0;
      std::uint32_t expected = 0;
      std::memcpy(&length, head.data(), sizeof length);
      std::memcpy(&expected, head.data() + sizeof length, sizeof expected);
      if (masked_checksum(head.first(sizeof length)) != expected) {
        if (at == 0 && head[0] == 0x1f && head[1] == 0x8b) {
          throw format_error(path, 0, "the file is gzip: its records have no places; inflate it first");
        }
        throw format_error(
            path, at,
            "the checksum of a record's length is wrong: the file is damaged, compressed or no "
            "TFRecord file");
      }
      if (length > static_cast<std::uint64_t>(options_.limit)) {
        throw format_error(path, at,
                           "the record has " + std::to_string(length) + " bytes, more than the limit of " +
                               std::to_string(options_.limit));
      }
      const std::int64_t begin = at + head_bytes;
      at = begin + static_cast<std::int64_t>(length) + foot_bytes;
      if (at > size) throw format_error(path, size, "the file ends within a record: it is truncated");
      begins_.push_back(begin);
      sizes_.push_back(static_cast<std::uint32_t>(length));
    }
  });
}

const tfrecord_shards::file& tfrecord_shards::file_of(std::int64_t index) const {
  const auto behind =
      std::upper_bound(files_.begin(), files_.end(), index,
                       [](std::int64_t record, const file& each) { return record < each.first_record; });
  return *(behind - 1);
}

std::string tfrecord_shards::name(std::int64_t index) const {
  const file& in = file_of(index);
  return in.content->path() + ": record " + std::to_string(index - in.first_record);
}

void tfrecord_shards::will_need(std::int64_t index) const {
  const std::int64_t begin = begins_[static_cast<std::size_t>(index)];
  const std::int64_t bytes = sizes_[static_cast<std::size_t>(index)];
  file_of(index).content->will_need(begin, bytes + foot_bytes);
}

std::int64_t tfrecord_shards::load(const sample_request& request, batch_type& batch) const {
  const file& in = file_of(request.index);
  const std::int64_t begin = begins_[static_cast<std::size_t>(request.index)];
  std::vector<std::uint8_t>& record = batch[static_cast<std::size_t>(request.row)];
  record.resize(sizes_[static_cast<std::size_t>(request.index)]);
  std::uint32_t expected = 0;
  std::array<iovec, 2> parts = {iovec{.iov_base = record.data(), .iov_len = record.size()},
                                iovec{.iov_base = &expected, .iov_len = sizeof expected}};
  in.content->with([&](const open_file& content) { content.read_parts(begin, parts); });
  if (options_.verify && masked_checksum(record) != expected) {
    throw format_error(in.content->path(), begin, "the checksum of the record is wrong: it is damaged");
  }
  return static_cast<std::int64_t>(record.size());
}

void tfrecord_shards::keep(batch_type& batch, std::span<const std::int64_t> rows) const {
  std::size_t kept = 0;
  for (const std::int64_t row : rows) std::swap(batch[kept++], batch[static_cast<std::size_t>(row)]);
  batch.resize(kept);
}

}  // namespace weft
