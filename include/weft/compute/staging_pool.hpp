#pragma once

#include <weft/compute/memory.hpp>

#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::uint64_t
#include <map>      // for std::map
#include <memory>   // for std::shared_ptr
#include <mutex>    // for std::mutex

namespace weft {

/// How a staging_pool is set up.
struct staging_pool_options {
  /// The most bytes it holds: of buffers in use and of those that are kept for later.
  std::size_t max_bytes = std::size_t{1} << 30;
  /// Where its buffers come from, which must be host memory; null for pinned_memory().
  std::shared_ptr<memory> source = nullptr;
};

/// What a staging_pool holds and has done.
struct staging_pool_stats {
  /// Bytes of buffers that are in use.
  std::size_t bytes_in_use = 0;
  /// Bytes of buffers that are kept for later.
  std::size_t bytes_kept = 0;
  /// The most bytes that were ever in use.
  std::size_t most_bytes_in_use = 0;
  /// How many buffers were taken from the source.
  std::uint64_t allocated = 0;
  /// How many buffers were used again.
  std::uint64_t reused = 0;
};

/// Host memory for what is on its way to or from a GPU: pinned pages, which are slow to get and quick to use
/// again, so what is given back is kept and given out again. Sizes are rounded up by at most a quarter, and
/// to 4096 bytes, so that batches that differ a little share buffers.
///
///     auto staging = std::make_shared<staging_pool>();
///     tensor<float, 2> batch({64, 784}, staging);
///
/// It never holds more than max_bytes: kept buffers of other sizes are given up for a new one, and if that is
/// not enough, allocate() throws. It does not wait: whoever takes buffers bounds how many it takes.
///
/// Thread safety: distinct objects safe; shared objects safe.
class staging_pool final : public memory {
 public:
  /// Throws invalid_argument if max_bytes is 0 or the source is no host memory; otherwise as pinned_memory().
  explicit staging_pool(staging_pool_options options = {});
  /// Gives back what is kept. Nothing may be in use.
  ~staging_pool() override;

  /// Throws weft::error, naming max_bytes and what is in use, if the buffer does not fit; otherwise what the
  /// source throws, and then nothing has changed.
  void* allocate(std::size_t bytes) override;
  void deallocate(void* data, std::size_t bytes) noexcept override;
  place where() const noexcept override { return {}; }

  /// What it holds and has done so far.
  staging_pool_stats stats() const;

 private:
  // What a kept buffer's first bytes are.
  struct kept_buffer {
    kept_buffer* next;
  };

  void give_up_largest();

  std::size_t max_bytes_;
  std::shared_ptr<memory> source_;
  mutable std::mutex mutex_;
  std::map<std::size_t, kept_buffer*> kept_;  // by size; has an entry for every size that was ever in use
  staging_pool_stats stats_;
};

}  // namespace weft
