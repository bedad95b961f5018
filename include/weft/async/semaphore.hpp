#pragma once

#include <weft/async/detail/waiter.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>

#include <atomic>   // for std::atomic
#include <cassert>  // for assert
#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::uint64_t
#include <mutex>    // for std::mutex
#include <string>   // for std::to_string
#include <utility>  // for std::exchange

namespace weft {

class semaphore_permit;

/// A number of permits, which is chosen at run time, that coroutines and threads take and give back.
///
/// Waiters are served in the order they came, and nobody who comes later takes a permit before them: a waiter
/// that wants many permits holds back those behind it that want few. While nobody waits, no operation posts,
/// allocates, locks or wakes anyone. A coroutine that waited resumes on its own executor.
///
/// A semaphore that is destroyed must have no waiters. It may be destroyed while permits are out, but those
/// can then no longer be given back.
///
/// Thread safety: distinct objects safe; shared objects safe.
/// Cancellation: a cancelled acquire() throws `cancelled` and has no permit; one that was granted its permits
/// before the cancellation arrived succeeds.
class semaphore {
 public:
  /// The most permits that a semaphore can have.
  static constexpr std::size_t max_permits = (std::size_t{1} << 62) - 1;

  /// @param permits how many there are to begin with; may be 0; throws invalid_argument above max_permits
  explicit semaphore(std::size_t permits) : state_(permits * 2) {
    if (permits > max_permits) {
      throw invalid_argument("semaphore: " + std::to_string(permits) + " permits are more than the " +
                             std::to_string(max_permits) + " that it can have");
    }
  }

  semaphore(const semaphore&) = delete;
  semaphore& operator=(const semaphore&) = delete;

  ~semaphore() { assert(waiters_.empty()); }

  /// Takes `count` permits at once; waits until they are there and it is its turn.
  ///
  /// Waits for ever if `count` permits never come together.
  task<void> acquire(std::size_t count = 1) {
    if (try_acquire(count)) co_return;
    detail::coroutine_waiter self;
    auto enlist = [&] { return enlist_waiter(self, count); };
    auto cancel = [&] { withdraw(self); };
    co_await self.suspend(enlist, cancel);
    if (self.reason() == detail::wake_reason::cancelled) throw cancelled();
  }

  /// Takes `count` permits if they are there and nobody waits; otherwise returns false.
  bool try_acquire(std::size_t count = 1) noexcept {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    do {
      if ((seen & waiting_bit) != 0 || seen / 2 < count) return false;
    } while (!state_.compare_exchange_weak(seen, seen - count * 2, std::memory_order_acquire,
                                           std::memory_order_relaxed));
    return true;
  }

  /// As acquire(), blocking the calling thread: never call it on a thread that runs an event loop.
  void acquire_wait(std::size_t count = 1) {
    if (try_acquire(count)) return;
    detail::thread_waiter self;
    if (enlist_waiter(self, count)) self.block();
  }

  /// As acquire(); the permits go back when the returned object is destroyed.
  task<semaphore_permit> hold(std::size_t count = 1);

  /// As hold(), blocking the calling thread: never call it on a thread that runs an event loop.
  semaphore_permit hold_wait(std::size_t count = 1);

  /// Gives `count` permits back, or adds new ones: who releases need not have acquired. Throws
  /// invalid_argument, and changes nothing, if that would be more than max_permits.
  void release(std::size_t count = 1) {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    do {
      if (count > max_permits - seen / 2) refuse(count);
      if ((seen & waiting_bit) != 0) return release_to_waiters(count);
    } while (!state_.compare_exchange_weak(seen, seen + count * 2, std::memory_order_release,
                                           std::memory_order_relaxed));
  }

  /// How many permits are free; a momentary value while others use it.
  std::size_t available() const noexcept { return state_.load(std::memory_order_relaxed) / 2; }
  /// How many acquisitions wait; a momentary value while others use it.
  std::size_t waiting() const noexcept { return waiters_.size(); }

 private:
  // state_ is 2 * the free permits, plus 1 while somebody waits. That bit is set and cleared under the mutex
  // only, and while it is set so is every change of the permits: the lock-free paths back off. A release that
  // comes before a waiter sets the bit is therefore seen by that waiter, and one that comes later sees the
  // bit.
  static constexpr std::uint64_t waiting_bit = 1;

  [[noreturn]] static void refuse(std::size_t count) {
    throw invalid_argument("semaphore::release(" + std::to_string(count) + "): there would be more than " +
                           std::to_string(max_permits) + " permits");
  }

  /// True if `self` now waits; otherwise it has its permits.
  bool enlist_waiter(detail::waiter& self, std::size_t& count) {
    const std::lock_guard lock(mutex_);
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    if ((seen & waiting_bit) == 0) {
      std::uint64_t wanted = 0;
      do {
        wanted = seen / 2 >= count ? seen - count * 2 : seen | waiting_bit;
      } while (
          !state_.compare_exchange_weak(seen, wanted, std::memory_order_acquire, std::memory_order_relaxed));
      if ((wanted & waiting_bit) == 0) {
        self.set_reason(detail::wake_reason::ready);
        return false;
      }
    }
    self.place = &count;
    waiters_.push_back(self);
    return true;
  }

  void release_to_waiters(std::size_t count) {
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    // The last waiter may have gone meanwhile: then the lock-free paths are at work again.
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    do {
      if (count > max_permits - seen / 2) refuse(count);
    } while (!state_.compare_exchange_weak(seen, seen + count * 2, std::memory_order_release,
                                           std::memory_order_relaxed));
    if ((seen & waiting_bit) != 0) serve(woken);
  }

  void withdraw(detail::waiter& self) {
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (!self.linked()) return;  // already being woken with its permits
    waiters_.remove(self);
    woken.add(self, detail::wake_reason::cancelled);
    serve(woken);  // it may have held back others that want less
  }

  // Under the mutex, with the bit set.
  void serve(detail::wake_chain& woken) noexcept {
    std::uint64_t free = state_.load(std::memory_order_acquire) / 2;
    while (!waiters_.empty()) {
      detail::waiter& next = *waiters_.front();
      const std::size_t wanted = *static_cast<const std::size_t*>(next.place);
      if (wanted > free) break;
      free -= wanted;
      waiters_.remove(next);
      woken.add(next, detail::wake_reason::ready);
    }
    state_.store(free * 2 + (waiters_.empty() ? 0 : waiting_bit), std::memory_order_release);
  }

  std::atomic<std::uint64_t> state_;
  std::mutex mutex_;
  detail::wait_list waiters_;
};

/// Permits of a semaphore, which go back when this is destroyed. It must not outlive the semaphore.
///
/// Thread safety: distinct objects safe.
class [[nodiscard]] semaphore_permit {
 public:
  /// No permits.
  semaphore_permit() noexcept = default;

  /// Takes charge of permits that have been acquired already.
  semaphore_permit(semaphore& from, std::size_t count) noexcept : home_(&from), count_(count) {}

  /// Takes the permits over.
  semaphore_permit(semaphore_permit&& other) noexcept
      : home_(std::exchange(other.home_, nullptr)), count_(std::exchange(other.count_, 0)) {}

  /// Gives back its own permits and takes the others over.
  semaphore_permit& operator=(semaphore_permit&& other) noexcept {
    if (this != &other) {
      release();
      home_ = std::exchange(other.home_, nullptr);
      count_ = std::exchange(other.count_, 0);
    }
    return *this;
  }

  ~semaphore_permit() { release(); }

  /// Gives the permits back now.
  void release() noexcept {
    if (semaphore* home = std::exchange(home_, nullptr)) home->release(std::exchange(count_, 0));
  }

  /// How many permits it holds.
  std::size_t count() const noexcept { return count_; }

 private:
  semaphore* home_ = nullptr;
  std::size_t count_ = 0;
};

inline task<semaphore_permit> semaphore::hold(std::size_t count) {
  if (!try_acquire(count)) co_await acquire(count);
  co_return semaphore_permit(*this, count);
}

inline semaphore_permit semaphore::hold_wait(std::size_t count) {
  acquire_wait(count);
  return semaphore_permit(*this, count);
}

}  // namespace weft
