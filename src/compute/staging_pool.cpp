#include <weft/compute/pinned_memory.hpp>
#include <weft/compute/staging_pool.hpp>
#include <weft/core/error.hpp>

#include <algorithm>  // for std::max
#include <bit>        // for std::bit_floor
#include <new>        // for placement new
#include <string>     // for std::to_string
#include <utility>    // for std::move, std::exchange

namespace weft {
namespace {

constexpr std::size_t page = 4096;

// The size of the buffer that serves a request: a quarter of a power of two, in whole pages.
std::size_t buffer_size(std::size_t bytes) {
  const std::size_t step = std::max(page, std::bit_floor(bytes) / 4);
  return (bytes + step - 1) / step * step;
}

}  // namespace

staging_pool::staging_pool(staging_pool_options options)
    : max_bytes_(options.max_bytes),
      source_(options.source == nullptr ? pinned_memory() : std::move(options.source)) {
  if (max_bytes_ == 0) throw invalid_argument("staging_pool: max_bytes is 0: it must be above 0");
  if (source_->where() != place{}) {
    throw invalid_argument("staging_pool: the source is memory of " + to_string(source_->where()) +
                           ": it must be the host's");
  }
}

staging_pool::~staging_pool() {
  for (const auto& [size, first] : kept_) {
    for (kept_buffer* buffer = first; buffer != nullptr;) {
      kept_buffer* const next = buffer->next;
      source_->deallocate(buffer, size);
      buffer = next;
    }
  }
}

void* staging_pool::allocate(std::size_t bytes) {
  std::unique_lock lock(mutex_);
  const std::size_t room = max_bytes_ - stats_.bytes_in_use;
  const std::size_t size = bytes <= room ? buffer_size(bytes) : bytes;
  if (size > room) {
    throw error("staging_pool: a buffer of " + std::to_string(size) + " bytes does not fit: " +
                std::to_string(stats_.bytes_in_use) + " of max_bytes = " + std::to_string(max_bytes_) +
                " are in use; raise max_bytes or keep fewer batches under way");
  }
  kept_buffer*& same = kept_[size];
  stats_.bytes_in_use += size;
  if (same != nullptr) {
    void* const data = std::exchange(same, same->next);
    stats_.bytes_kept -= size;
    ++stats_.reused;
    stats_.most_bytes_in_use = std::max(stats_.most_bytes_in_use, stats_.bytes_in_use);
    return data;
  }
  while (stats_.bytes_in_use + stats_.bytes_kept > max_bytes_) give_up_largest();
  lock.unlock();  // what follows may take long, and the bytes are reserved
  void* data = nullptr;
  try {
    data = source_->allocate(size);
  } catch (...) {
    lock.lock();
    stats_.bytes_in_use -= size;
    throw;
  }
  lock.lock();
  ++stats_.allocated;
  stats_.most_bytes_in_use = std::max(stats_.most_bytes_in_use, stats_.bytes_in_use);
  return data;
}

void staging_pool::deallocate(void* data, std::size_t bytes) noexcept {
  const std::size_t size = buffer_size(bytes);
  const std::lock_guard lock(mutex_);
  kept_buffer*& first = kept_.find(size)->second;
  first = new (data) kept_buffer{first};
  stats_.bytes_in_use -= size;
  stats_.bytes_kept += size;
}

staging_pool_stats staging_pool::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void staging_pool::give_up_largest() {
  auto largest = kept_.end();
  do --largest;
  while (largest->second == nullptr);
  kept_buffer* const buffer = std::exchange(largest->second, largest->second->next);
  stats_.bytes_kept -= largest->first;
  source_->deallocate(buffer, largest->first);
}

}  // namespace weft
