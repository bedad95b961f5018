#pragma once

#include <weft/async/detail/spin.hpp>
#include <weft/async/detail/wait_for.hpp>
#include <weft/async/detail/waiter.hpp>
#include <weft/async/task.hpp>
#include <weft/pool/future.hpp>

#include <atomic>   // for std::atomic
#include <chrono>   // for std::chrono::duration, std::chrono::steady_clock
#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::uint8_t
#include <memory>   // for std::unique_ptr
#include <mutex>    // for std::mutex
#include <span>     // for std::span
#include <vector>   // for std::vector

namespace weft {

/// What ends a wait for several futures.
enum class return_when : std::uint8_t {
  /// All of them are ready.
  all,
  /// One of them is.
  first_completed,
  /// One of them is and its call threw or was cancelled; or all are.
  first_exception,
};

/// Which futures of a set were ready when a wait for them ended, by their place in the set, in order.
struct wait_result {
  /// Those whose get() returns at once.
  std::vector<std::size_t> done;
  /// The others.
  std::vector<std::size_t> pending;
};

namespace detail {

/// A wait for a set of calls, seen from any of them.
class joint_wait {
 public:
  /// One of the calls.
  class entry final : public waiter {
   public:
    void wake() noexcept override {
      const bool has_failed = call->failed();
      board->arrive(has_failed);
      passed.store(true, std::memory_order_release);  // the last touch: the board may go now
    }

    joint_wait* board = nullptr;
    shared_call* call = nullptr;
    bool enlisted = false;
    std::atomic<bool> passed{false};
  };

  joint_wait(std::span<shared_call* const> calls, return_when when)
      : entries_(std::make_unique<entry[]>(calls.size())), count_(calls.size()), when_(when) {
    for (std::size_t i = 0; i < count_; ++i) {
      entries_[i].board = this;
      entries_[i].call = calls[i];
    }
  }
  joint_wait(const joint_wait&) = delete;
  joint_wait& operator=(const joint_wait&) = delete;
  ~joint_wait() {
    for (entry& each : std::span(entries_.get(), count_)) {
      if (!each.enlisted || each.call->remove(each)) continue;
      // Somebody is about to wake it, or is doing so.
      spin_until([&each] { return each.passed.load(std::memory_order_acquire); });
    }
  }

  /// Asks to be told by each call, until enough have told.
  void start() {
    for (entry& each : std::span(entries_.get(), count_)) {
      if (pool_call_depth > 0 && !over()) each.call->run_if_queued();
      each.enlisted = each.call->enlist(each);
      if (!each.enlisted) arrive(each.call->failed());
    }
  }

  bool over() noexcept {
    const std::lock_guard lock(mutex_);
    return met();
  }

  void block() {
    thread_waiter self;
    if (enlist(self)) self.block();
  }

  void block_until(std::chrono::steady_clock::time_point deadline) {
    thread_waiter self;
    if (!enlist(self) || self.block_until(deadline)) return;
    {
      const std::lock_guard lock(mutex_);
      if (self.linked()) return sleepers_.remove(self);
    }
    self.block();
  }

  task<void> suspend() {
    const auto ready = [this] { return met(); };
    co_await wait_for(mutex_, sleepers_, ready);
  }

  wait_result result() const {
    wait_result found;
    for (std::size_t i = 0; i < count_; ++i)
      (entries_[i].call->ready() ? found.done : found.pending).push_back(i);
    return found;
  }

 private:
  bool met() const noexcept {
    return arrived_ == count_ || (when_ == return_when::first_completed && arrived_ > 0) ||
           (when_ == return_when::first_exception && failed_);
  }

  void arrive(bool has_failed) noexcept {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    ++arrived_;
    failed_ |= has_failed;
    if (met()) wake_all(sleepers_, woken);
  }

  bool enlist(waiter& self) noexcept {
    const std::lock_guard lock(mutex_);
    if (met()) return false;
    sleepers_.push_back(self);
    return true;
  }

  std::unique_ptr<entry[]> entries_;
  const std::size_t count_;
  const return_when when_;
  std::mutex mutex_;
  std::size_t arrived_ = 0;
  bool failed_ = false;
  wait_list sleepers_;
};

/// The calls behind futures, for those who wait for several.
struct future_calls {
  template <class R>
  static std::vector<shared_call*> of(std::span<const future<R>> futures) {
    std::vector<shared_call*> all;
    all.reserve(futures.size());
    for (const future<R>& each : futures) all.push_back(each.call_);
    return all;
  }
};

}  // namespace detail

/// Waits until all of some valid futures are ready, or the first is, or the first that failed: what
/// concurrent.futures.wait() does. Their results are not taken. Blocks; on a pool's thread it runs calls that
/// nobody has begun, as future::get() does. An empty set is ready.
///
/// Thread safety: the futures must not be used by others meanwhile.
template <class R>
wait_result wait(const std::vector<future<R>>& futures, return_when when = return_when::all) {
  const auto calls = detail::future_calls::of(std::span<const future<R>>(futures));
  detail::joint_wait whole(calls, when);
  whole.start();
  whole.block();
  return whole.result();
}

/// As above for at most `limit`: then the result tells which are ready by now.
template <class R, class Rep, class Period>
wait_result wait(const std::vector<future<R>>& futures, std::chrono::duration<Rep, Period> limit,
                 return_when when = return_when::all) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  const auto calls = detail::future_calls::of(std::span<const future<R>>(futures));
  detail::joint_wait whole(calls, when);
  whole.start();
  whole.block_until(deadline);
  return whole.result();
}

/// As wait(), awaited: resumes on the coroutine's executor. The futures must stay where they are until then.
///
/// Cancellation: throws `cancelled`; the futures and their calls are as they were.
template <class R>
task<wait_result> async_wait(const std::vector<future<R>>& futures, return_when when = return_when::all) {
  const auto calls = detail::future_calls::of(std::span<const future<R>>(futures));
  detail::joint_wait whole(calls, when);
  whole.start();
  co_await whole.suspend();
  co_return whole.result();
}

}  // namespace weft
