#pragma once

#include <cstdint>  // for std::int64_t

namespace weft {

/// What a sample_cache has done.
struct cache_stats {
  /// How often a sample was in it.
  std::int64_t hits = 0;
  /// How often it was not.
  std::int64_t misses = 0;
  /// The bytes of the samples that it holds.
  std::int64_t bytes = 0;
  /// How many samples were not kept because there was no place within the limit.
  std::int64_t full = 0;
  /// How many could not be written, e.g. to a disk that is full.
  std::int64_t write_errors = 0;
  /// How many entries were damaged or of another sample; each was loaded and written anew.
  std::int64_t damaged = 0;
};

}  // namespace weft
