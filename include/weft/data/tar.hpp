#pragma once

#include <weft/core/error.hpp>
#include <weft/data/loader_options.hpp>

#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::int64_t, std::uint8_t, std::uint32_t
#include <memory>       // for std::shared_ptr, std::unique_ptr
#include <optional>     // for std::optional
#include <span>         // for std::span
#include <string>       // for std::string
#include <string_view>  // for std::string_view
#include <vector>       // for std::vector

namespace weft {

namespace detail {
class kept_file;
}  // namespace detail

/// A file of a shard's sample.
struct shard_file {
  /// What its name says behind the first dot, in small letters: "jpg", "seg.png".
  std::string extension;
  /// Its content.
  std::vector<std::uint8_t> bytes;
};

/// The files of a shard that belong together, in WebDataset's convention: they follow one another, and their
/// names, with their folders, are equal up to the first dot.
struct shard_sample {
  /// The name up to the first dot, with its folders.
  std::string key;
  /// The files, in the order of the shard.
  std::vector<shard_file> files;

  /// The content of one of the files, null if there is none. @param extension which one, in small letters
  const std::vector<std::uint8_t>* find(std::string_view extension) const noexcept;
  /// As find(). @throws invalid_argument naming the sample and the extensions it has, if there is none
  const std::vector<std::uint8_t>& at(std::string_view extension) const;
};

/// What is accepted of a shard.
struct tar_options {
  /// The largest file accepted, in bytes.
  std::int64_t limit = std::int64_t{1} << 30;
};

/// Reads the samples of a tar shard front to back, inflating it on the way if it is gzip or zstd (which its
/// first bytes tell). It holds one sample and a block of the shard, so a shard larger than memory works.
///
/// Files whose names have no dot, or begin with one, folders and links belong to no sample and are left out.
///
/// Thread safety: distinct objects safe; shared objects unsafe. Blocks its thread: call it on a pool's
/// thread.
class tar_reader {
 public:
  /// Opens the shard. @param path the file; @param options see there
  /// @throws io_error if it cannot be opened; format_error if it is no tar archive; invalid_argument if the
  /// limit
  ///         is negative
  explicit tar_reader(std::string path, tar_options options = {});
  /// Takes the open shard over; the other may only be destroyed or assigned to.
  tar_reader(tar_reader&&) noexcept;
  /// Closes this shard and takes the other's over.
  tar_reader& operator=(tar_reader&&) noexcept;
  ~tar_reader();

  /// Reads the next sample; false at the end. @param sample what is overwritten, its memory is used again
  /// @throws io_error if the shard cannot be read; format_error, naming the stored byte, if it is corrupt,
  /// ends
  ///         too soon or has a file that is larger than the limit
  bool read(shard_sample& sample);
  /// As read(), a sample of its own; nothing at the end. A loader takes a tar_reader as its source.
  std::optional<shard_sample> next();

 private:
  class state;
  std::unique_ptr<state> state_;
};

/// A loader's source: the samples of tar shards in any order, without unpacking them. The shards must not be
/// compressed: a compressed one is read by tar_reader, front to back.
///
/// The constructor reads the headers alone, so an epoch has every sample exactly once, over any number of
/// ranks, and can be resumed anywhere. Memory: about 100 bytes a file. The first 128 shards stay open, so
/// that removing one does not end a running epoch; the others are opened for each sample.
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
class tar_shards {
 public:
  /// What a loader's batches are.
  using batch_type = std::vector<shard_sample>;

  /// Reads the headers of all shards. Blocks.
  ///
  /// @param shards their paths, in the order of their samples; @param options see there
  /// @throws io_error if one cannot be read; format_error, naming the byte, if one is no tar archive, is
  ///         compressed, ends too soon or has a file that is larger than the limit; invalid_argument if there
  ///         is no shard or the limit is negative
  explicit tar_shards(std::vector<std::string> shards, tar_options options = {});

  /// How many samples there are.
  std::int64_t size() const noexcept { return static_cast<std::int64_t>(samples_.size()); }
  /// The shard of a sample, and its key. @param index which one, in [0, size()), not checked
  std::string name(std::int64_t index) const;

  /// Reads a sample. @param index which one, in [0, size()), not checked
  /// @throws io_error if its shard cannot be read; format_error if it has become shorter
  shard_sample load(std::int64_t index) const;
  /// As load(). @param index which one; @param sample what is overwritten, its memory is used again
  void load_into(std::int64_t index, shard_sample& sample) const;

  /// Gives a batch place for so many samples. @param batch whose memory is used again; @param samples how
  /// many
  void prepare(batch_type& batch, std::int64_t samples) const {
    batch.resize(static_cast<std::size_t>(samples));
  }
  /// Has the system fetch a sample, and does not wait. @param index which one, in [0, size()), not checked
  void will_need(std::int64_t index) const;
  /// Reads a sample into its row. @param request which one, and where to; @param batch prepared for more rows
  /// than request.row
  /// @return the size of its files in bytes
  /// @throws what the other load() throws
  std::int64_t load(const sample_request& request, batch_type& batch) const;
  /// Drops all rows but these. @param batch what is made smaller @param rows ascending
  void keep(batch_type& batch, std::span<const std::int64_t> rows) const;

 private:
  struct file {
    std::int64_t offset;
    std::int64_t size;
    std::uint32_t extension;  // an index into extensions_
  };
  struct entry {
    std::string key;
    std::uint32_t shard;
    std::size_t first_file;
    std::size_t files;
  };

  std::uint32_t extension_number(std::string extension);

  std::vector<std::shared_ptr<const detail::kept_file>> shards_;
  std::vector<std::string> extensions_;
  std::vector<file> files_;
  std::vector<entry> samples_;
};

}  // namespace weft
