#pragma once

#include <weft/pool/detail/call_queue.hpp>
#include <weft/pool/detail/thread_call.hpp>
#include <weft/pool/future.hpp>

#include <algorithm>  // for std::max, std::min
#include <atomic>     // for std::atomic
#include <cstdint>    // for std::int64_t
#include <exception>  // for std::exception_ptr
#include <utility>    // for std::move

namespace weft::detail {

/// A loop that several threads work on, each taking the next chunk of it until none is left.
///
/// Chunks shrink with what is left (guided self-scheduling: Polychronopoulos and Kuck, 1987), so that a loop
/// costs few of them and its threads end together even when some items take longer.
class shared_loop {
 public:
  /// One of the chunks: [begin, end).
  struct chunk {
    std::int64_t begin = 0;
    std::int64_t end = 0;
  };

  shared_loop(std::int64_t begin, std::int64_t end, int threads)
      : next_(begin),
        end_(end),
        most_helpers_(std::min<std::int64_t>(threads, end - begin) - 1),
        divisor_(4 * static_cast<std::int64_t>(threads)) {}
  shared_loop(const shared_loop&) = delete;
  shared_loop& operator=(const shared_loop&) = delete;

  /// How many threads are worth having besides the one that owns the loop.
  std::int64_t most_helpers() const noexcept { return most_helpers_; }

  /// Takes the next chunk; false if there is none.
  bool take(chunk& taken) noexcept {
    std::int64_t begin = next_.load(std::memory_order_relaxed);
    while (begin < end_) {
      const std::int64_t size = std::max<std::int64_t>(1, (end_ - begin) / divisor_);
      // Relaxed: the items were there before the helpers were invited, which the call queue orders.
      if (next_.compare_exchange_weak(begin, begin + size, std::memory_order_relaxed)) {
        taken = {begin, begin + size};
        return true;
      }
    }
    return false;
  }

  /// Runs a chunk; if it throws, no more are given out and the first exception is kept.
  void run(chunk part) noexcept {
    try {
      execute(part);
    } catch (...) {
      stop();
      if (!failed_.exchange(true, std::memory_order_relaxed)) failure_ = std::current_exception();
    }
  }

  /// Gives out no more chunks. Any thread may call it.
  void stop() noexcept { next_.store(end_, std::memory_order_relaxed); }

  /// Throws what a chunk threw. Only when every thread has left the loop.
  void rethrow() {
    if (failure_) std::rethrow_exception(std::move(failure_));
  }

 protected:
  ~shared_loop() = default;
  virtual void execute(chunk part) = 0;

 private:
  alignas(64) std::atomic<std::int64_t> next_;
  alignas(64) const std::int64_t end_;
  const std::int64_t most_helpers_;
  const std::int64_t divisor_;
  std::atomic<bool> failed_{false};
  std::exception_ptr failure_;
};

/// A loop with a function for an index.
template <class F>
class indexed_loop final : public shared_loop {
 public:
  indexed_loop(std::int64_t begin, std::int64_t end, int threads, F& function)
      : shared_loop(begin, end, threads), function_(function) {}

 private:
  void execute(chunk part) override {
    for (std::int64_t i = part.begin; i != part.end; ++i) function_(i);
  }

  F& function_;
};

/// The place of a helper in the queue of its pool. It does not count on being reached: the loop's owner takes
/// it back when there is nothing left to help with.
class loop_helper final : public shared_call, public queued_call {
 public:
  explicit loop_helper(shared_loop& loop) : queued_call(static_cast<shared_call&>(*this)), loop_(loop) {}

 private:
  void execute() noexcept override {
    shared_loop::chunk part;
    if (!loop_.take(part)) return;
    const span working("pool.loop");
    do loop_.run(part);
    while (loop_.take(part));
  }
  void fail(std::exception_ptr) noexcept override {}
  bool failed() const noexcept override { return false; }

  shared_loop& loop_;
};

}  // namespace weft::detail
