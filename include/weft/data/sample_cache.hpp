#pragma once

#include <cstddef>        // for std::size_t
#include <cstdint>        // for std::int64_t, std::uint8_t, std::uint64_t
#include <memory>         // for std::shared_ptr
#include <mutex>          // for std::mutex
#include <span>           // for std::span
#include <string>         // for std::string
#include <unordered_map>  // for std::unordered_map
#include <vector>         // for std::vector

namespace weft {

/// What a sample_cache holds and has done.
struct cache_stats {
  /// How often a sample was in it.
  std::int64_t hits = 0;
  /// How often it was not.
  std::int64_t misses = 0;
  /// The bytes of the samples that it holds.
  std::int64_t bytes = 0;
  /// How often a sample was not kept because there was no place within max_bytes.
  std::int64_t full = 0;
  /// How often one could not be written, e.g. to a disk that is full.
  std::int64_t write_errors = 0;
  /// How many entries were damaged, or of another sample, and were dropped.
  std::int64_t damaged = 0;
};

/// How a sample_cache works.
struct cache_options {
  /// The most bytes of samples that it holds.
  std::int64_t max_bytes = std::int64_t{1} << 30;
  /// The folder of the entries, one a file, which is made if need be and stays for later runs; if empty they
  /// are kept in memory.
  std::string folder = {};
};

/// Bytes of samples that were loaded once, so that they are not loaded, or not decoded, again: in memory or
/// in a folder on a local disk. A sample is known by its index and by a name, which an entry remembers, so
/// that one of another set is not taken for it; that the sample itself has changed is not noticed.
///
/// Nothing is dropped to make place: every epoch goes through the whole set, so what was kept first is as
/// good as what comes later. An entry on disk carries a checksum; one that is damaged or cut off counts as
/// not there. It is written under another name first, so no reader sees half of one, nor does a run that
/// follows a crash. After an error in writing, e.g. on a full disk, nothing more is written: the cache goes
/// on with what it has.
///
/// Thread safety: distinct objects safe, also with the same folder, of which each then takes its own part of
/// max_bytes; shared objects safe.
class sample_cache {
 public:
  /// The bytes of a sample.
  using content = std::vector<std::uint8_t>;

  /// Finds what is in the folder. Blocks.
  /// @throws invalid_argument if max_bytes is negative; io_error if the folder cannot be made or read
  explicit sample_cache(cache_options options = {});
  sample_cache(const sample_cache&) = delete;
  sample_cache& operator=(const sample_cache&) = delete;
  ~sample_cache() = default;

  /// What was kept of a sample, or null. Blocks if it is on disk.
  /// @param index which sample, not negative; @param name what it is, e.g. its path
  std::shared_ptr<const content> find(std::int64_t index, const std::string& name);

  /// Keeps a sample, if there is place; nothing if it is there already. Blocks if it goes to disk.
  /// @param index which sample, not negative; @param name what it is; @param bytes its content
  void keep(std::int64_t index, const std::string& name, std::span<const std::uint8_t> bytes);

  /// What it holds and has done so far.
  cache_stats stats() const;

 private:
  struct entry {
    std::uint64_t name = 0;  // a checksum, in memory
    std::int64_t size = 0;
    std::shared_ptr<const content> bytes = nullptr;  // in memory
  };

  void list_folder();
  std::string path_of(std::int64_t index) const;
  std::shared_ptr<const content> read(std::int64_t index, const std::string& name) const;
  bool write(std::int64_t index, const std::string& name, std::span<const std::uint8_t> bytes);

  cache_options options_;
  mutable std::mutex mutex_;
  std::unordered_map<std::int64_t, entry> entries_;
  std::uint64_t written_ = 0;  // makes the names of unfinished files different
  bool writes_ = true;
  cache_stats stats_;
};

}  // namespace weft
