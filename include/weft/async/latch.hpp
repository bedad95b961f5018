#pragma once

#include <weft/async/detail/waiter.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>

#include <atomic>   // for std::atomic
#include <cassert>  // for assert
#include <cstddef>  // for std::size_t
#include <mutex>    // for std::mutex
#include <string>   // for std::to_string

namespace weft {

/// A counter that goes down to zero once, and those who wait for that: std::latch for coroutines and threads.
///
/// A latch may be destroyed once all who waited for it have gone on, even while the count_down() that woke
/// them is still returning.
///
/// Thread safety: distinct objects safe; shared objects safe.
/// Cancellation: a cancelled wait() throws `cancelled` and changes nothing; a cancelled arrive_and_wait() has
/// arrived.
class latch {
 public:
  /// @param count how many must arrive; at 0 nobody waits
  explicit latch(std::size_t count) noexcept : count_(count) {}
  latch(const latch&) = delete;
  latch& operator=(const latch&) = delete;

  ~latch() { assert(waiters_.empty()); }

  /// Lets `count` arrive and wakes all who wait if they were the last. Throws invalid_argument, and changes
  /// nothing, if fewer are missing.
  void count_down(std::size_t count = 1) {
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    const std::size_t left = count_.load(std::memory_order_relaxed);
    if (count > left) {
      throw invalid_argument("latch::count_down(" + std::to_string(count) + "): only " +
                             std::to_string(left) + " are still to arrive");
    }
    count_.store(left - count, std::memory_order_release);
    if (left != count) return;
    while (!waiters_.empty()) {
      detail::waiter& next = *waiters_.front();
      waiters_.remove(next);
      woken.add(next, detail::wake_reason::ready);
    }
  }

  /// Waits until all have arrived. What they did before is then visible.
  task<void> wait() {
    if (complete()) co_return;
    detail::coroutine_waiter self;
    auto enlist = [&] { return enlist_waiter(self); };
    auto cancel = [&] { withdraw(self); };
    co_await self.suspend(enlist, cancel);
    if (self.reason() == detail::wake_reason::cancelled) throw cancelled();
  }

  /// As wait(), blocking the calling thread: never call it on a thread that runs an event loop.
  void wait_blocking() {
    detail::thread_waiter self;
    if (enlist_waiter(self)) self.block();
  }

  /// Arrives, and waits for the others. Throws as count_down() does.
  task<void> arrive_and_wait() {
    count_down();
    co_await wait();
  }

  /// Whether all have arrived. What they did before is then visible.
  bool try_wait() const noexcept { return remaining() == 0; }
  /// How many are still to arrive; a momentary value while others use it.
  std::size_t remaining() const noexcept { return count_.load(std::memory_order_acquire); }
  /// How many wait; a momentary value while others use it.
  std::size_t waiting() const noexcept { return waiters_.size(); }

 private:
  // Under the mutex, so that count_down() has left the latch when a waiter goes on and destroys it.
  bool complete() {
    const std::lock_guard lock(mutex_);
    return count_.load(std::memory_order_relaxed) == 0;
  }

  bool enlist_waiter(detail::waiter& self) {
    const std::lock_guard lock(mutex_);
    if (count_.load(std::memory_order_relaxed) == 0) {
      self.set_reason(detail::wake_reason::ready);
      return false;
    }
    waiters_.push_back(self);
    return true;
  }

  void withdraw(detail::waiter& self) {
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (!self.linked()) return;
    waiters_.remove(self);
    woken.add(self, detail::wake_reason::cancelled);
  }

  std::atomic<std::size_t> count_;  // written under the mutex
  std::mutex mutex_;
  detail::wait_list waiters_;
};

}  // namespace weft
