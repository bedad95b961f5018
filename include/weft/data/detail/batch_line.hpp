#pragma once

#include <weft/async/event.hpp>
#include <weft/async/task.hpp>
#include <weft/data/loader_options.hpp>
#include <weft/pool/thread_pool.hpp>

#include <cstddef>   // for std::size_t
#include <cstdint>   // for std::int64_t
#include <memory>    // for std::shared_ptr
#include <optional>  // for std::optional
#include <span>      // for std::span
#include <string>    // for std::string
#include <vector>    // for std::vector

namespace weft::detail {

/// What a batch_line drives: a source and a batch for each slot. load() and load_rows() are called from
/// several threads, for one slot too; the others by one thread a slot, before and after all of those.
class batch_maker {
 public:
  batch_maker() = default;
  batch_maker(const batch_maker&) = delete;
  batch_maker& operator=(const batch_maker&) = delete;

  virtual void prepare(std::size_t slot, std::int64_t samples) = 0;
  virtual std::int64_t load(std::size_t slot, const sample_request& request) = 0;
  /// Whether load_rows() may be called.
  virtual bool loads_rows() const noexcept = 0;
  virtual std::int64_t load_rows(std::size_t slot, const sample_rows& rows) = 0;
  virtual void keep(std::size_t slot, std::span<const std::int64_t> rows) = 0;
  /// Whether finish() does anything.
  virtual bool finishes() const noexcept = 0;
  virtual void finish(std::size_t slot) = 0;
  /// Whether will_need() does anything.
  virtual bool reads_ahead() const noexcept = 0;
  /// From several threads.
  virtual void will_need(std::int64_t index) = 0;
  /// From any thread.
  virtual cache_stats cached() const = 0;
  virtual std::string name(std::int64_t index) const = 0;

  /// Whether the source can only be gone through: then its samples are read before they are loaded.
  virtual bool streams() const noexcept = 0;
  /// Reads what this rank loads of a batch into the slot, passing over the batches before it, and the
  /// samples' places in the source. How many samples the batch has over all ranks; fewer than batch_size at
  /// the end. By one thread at a time, for ascending batches.
  virtual std::int64_t read(std::size_t slot, std::int64_t batch, std::vector<std::int64_t>& indices) = 0;
  /// How many samples have been read.
  virtual std::int64_t samples_read() const noexcept = 0;
  /// Has a read() that waits return; from any thread.
  virtual void stop_reading() = 0;

 protected:
  ~batch_maker() = default;
};

/// Where a rank's part of so many samples begins: whole * rank / world without overflow.
constexpr std::int64_t part_begin(std::int64_t whole, std::int64_t rank, std::int64_t world) noexcept {
  return whole / world * rank + whole % world * rank / world;
}

/// A batch that lies ready in its slot.
struct made_batch {
  std::size_t slot = 0;
  std::int64_t epoch = 0;
  std::int64_t number = 0;
  std::vector<std::int64_t> indices;
};

/// The part of a loader that does not depend on its source: which batches are made in which slots, by whom,
/// and when they are given out.
///
/// A worker is a call on the pool. It takes a few samples at a time, of the oldest batch that has any left,
/// or opens the next batch, and leaves when nothing is left to do; release() sends for workers again. So no
/// thread of the pool ever waits here.
///
/// Thread safety: one consumer, which calls next(), next_wait() and release(); the rest from any thread.
class batch_line {
 public:
  batch_line(thread_pool& pool, batch_maker& maker, std::int64_t samples, const loader_options& options);
  batch_line(const batch_line&) = delete;
  batch_line& operator=(const batch_line&) = delete;
  ~batch_line() = default;

  /// Drops what is not yet begun and blocks until the rest is done; then the maker is not used any more.
  void close();

  std::size_t slots() const noexcept;
  std::int64_t batches_per_epoch() const noexcept;
  task<std::optional<made_batch>> next();
  std::optional<made_batch> next_wait();
  /// The batch has been taken out of its slot.
  void release(std::size_t slot);
  loader_state state() const;
  void resume(const loader_state& where);
  loader_stats stats() const;
  std::vector<failed_sample> failures() const;

 private:
  class core;
  std::shared_ptr<core> core_;  // shared with the calls on the pool, which may come after the end
};

}  // namespace weft::detail
