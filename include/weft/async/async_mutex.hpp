#pragma once

#include <weft/async/semaphore.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>

#include <utility>  // for std::exchange

namespace weft {

class async_lock;

/// Mutual exclusion between coroutines, threads, or both, that may be held across a co_await.
///
/// Waiters get the mutex in the order they came: unlock() hands it over to the first, and nobody who comes
/// later gets it before. It is not recursive, and who unlocks need not be the thread or coroutine that
/// locked. While nobody waits, no operation posts, allocates, locks or wakes anyone. A mutex that is
/// destroyed must have no waiters.
///
/// Thread safety: distinct objects safe; shared objects safe.
/// Cancellation: a cancelled lock() throws `cancelled` and has not locked; one that was handed the mutex
/// before the cancellation arrived succeeds.
class async_mutex {
 public:
  async_mutex() = default;
  async_mutex(const async_mutex&) = delete;
  async_mutex& operator=(const async_mutex&) = delete;

  /// Waits until the mutex is this coroutine's.
  task<void> lock() { return turn_.acquire(); }

  /// Locks the mutex if it is free and nobody waits for it.
  bool try_lock() noexcept { return turn_.try_acquire(); }

  /// As lock(), blocking the calling thread: never call it on a thread that runs an event loop.
  void lock_wait() { turn_.acquire_wait(); }

  /// As lock(); the mutex is unlocked when the returned object is destroyed:
  ///
  ///     const async_lock held = co_await mutex.scoped_lock();
  task<async_lock> scoped_lock();

  /// Hands the mutex to the first waiter, or frees it. Throws invalid_argument if it is not locked.
  void unlock() {
    if (turn_.available() != 0) throw invalid_argument("async_mutex::unlock(): the mutex is not locked");
    turn_.release();
  }

  /// Whether somebody has it; a momentary value while others use it.
  bool locked() const noexcept { return turn_.available() == 0; }
  /// How many wait for it; a momentary value while others use it.
  std::size_t waiting() const noexcept { return turn_.waiting(); }

 private:
  semaphore turn_{1};
};

/// Holds an async_mutex until it is destroyed. It must not outlive the mutex.
///
/// Thread safety: distinct objects safe.
class [[nodiscard]] async_lock {
 public:
  /// Takes charge of a mutex that has been locked already.
  explicit async_lock(async_mutex& locked) noexcept : mutex_(&locked) {}

  /// Takes the mutex over.
  async_lock(async_lock&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}

  /// Unlocks its own mutex and takes the other over.
  async_lock& operator=(async_lock&& other) noexcept {
    if (this != &other) {
      unlock();
      mutex_ = std::exchange(other.mutex_, nullptr);
    }
    return *this;
  }

  ~async_lock() { unlock(); }

  /// Unlocks the mutex now.
  void unlock() noexcept {
    if (async_mutex* held = std::exchange(mutex_, nullptr)) held->unlock();
  }

  /// Whether it holds a mutex.
  bool owns_lock() const noexcept { return mutex_ != nullptr; }

 private:
  async_mutex* mutex_;
};

inline task<async_lock> async_mutex::scoped_lock() {
  if (!try_lock()) co_await lock();
  co_return async_lock(*this);
}

}  // namespace weft
