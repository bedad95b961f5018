#pragma once

#include <weft/async/detail/waiter.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>

#include <atomic>   // for std::atomic
#include <cassert>  // for assert
#include <cstddef>  // for std::size_t
#include <mutex>    // for std::mutex

namespace weft {

/// A flag that coroutines and threads wait for: asyncio.Event. It stays set until it is reset.
///
/// set() wakes everybody who waits at that moment, even if reset() follows at once. Waiting for an event that
/// is set does not suspend. An event may be destroyed once all who waited for it have gone on, even while the
/// set() that woke them is still returning.
///
/// Thread safety: distinct objects safe; shared objects safe.
/// Cancellation: a cancelled wait() throws `cancelled`; one that was woken before succeeds.
class event {
 public:
  /// Not set.
  event() = default;
  event(const event&) = delete;
  event& operator=(const event&) = delete;

  ~event() { assert(waiters_.empty()); }

  /// Waits until the event is set.
  task<void> wait() {
    if (set_now()) co_return;
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

  /// Sets the event and wakes all who wait. What happened before it is visible to them.
  void set() {
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    set_.store(true, std::memory_order_release);
    while (!waiters_.empty()) {
      detail::waiter& next = *waiters_.front();
      waiters_.remove(next);
      woken.add(next, detail::wake_reason::ready);
    }
  }

  /// Makes those who come from now on wait for the next set().
  void reset() {
    const std::lock_guard lock(mutex_);
    set_.store(false, std::memory_order_relaxed);
  }

  /// Whether it is set; a momentary value while others use it. What happened before set() is visible.
  bool is_set() const noexcept { return set_.load(std::memory_order_acquire); }
  /// How many wait; a momentary value while others use it.
  std::size_t waiting() const noexcept { return waiters_.size(); }

 private:
  // Under the mutex, so that set() has left the event when a waiter goes on and destroys it.
  bool set_now() {
    const std::lock_guard lock(mutex_);
    return set_.load(std::memory_order_relaxed);
  }

  bool enlist_waiter(detail::waiter& self) {
    const std::lock_guard lock(mutex_);
    if (set_.load(std::memory_order_relaxed)) {
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

  std::atomic<bool> set_{false};  // written under the mutex
  std::mutex mutex_;
  detail::wait_list waiters_;
};

}  // namespace weft
