#pragma once

#include <weft/async/detail/waiter.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>

#include <atomic>       // for std::atomic
#include <cassert>      // for assert
#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::uint64_t
#include <mutex>        // for std::mutex
#include <optional>     // for std::optional
#include <type_traits>  // for std::is_nothrow_move_constructible_v
#include <utility>      // for std::move

namespace weft {

/// One slot that holds the newest value only: who publishes never waits, who reads sees no value twice but
/// may miss those that were overwritten. For prices, positions, model weights: where old is worthless.
///
/// Values have versions 1, 2, 3, ..., so a reader says what it has seen and waits for anything newer:
///
///     std::uint64_t seen = 0;
///     while (auto news = co_await price.newer(seen)) {
///       seen = news->version;
///       use(news->value);
///     }
///
/// Reading copies the value; a large one belongs into a std::shared_ptr<const T>. A slot that is destroyed
/// must have no waiters.
///
/// Thread safety: distinct objects safe; shared objects safe.
/// Cancellation: a cancelled newer() throws `cancelled`; the value stays where it is.
template <class T>
class latest {
  static_assert(std::is_copy_constructible_v<T>,
                "every reader gets a copy: wrap a T that has none in std::shared_ptr");
  static_assert(std::is_nothrow_move_constructible_v<T>, "wrap a T whose move may throw in std::shared_ptr");

 public:
  /// What it holds.
  using value_type = T;

  /// A value and which one it is.
  struct versioned {
    T value;                ///< what was published
    std::uint64_t version;  ///< how many had been published with it
  };

  /// Empty: version 0.
  latest() = default;
  /// Holds `value` as version 1.
  explicit latest(T value) : value_(std::move(value)), version_(1) {}

  latest(const latest&) = delete;
  latest& operator=(const latest&) = delete;

  ~latest() { assert(waiters_.empty()); }

  /// Overwrites the value and wakes all who wait. Throws queue_closed once the slot is closed.
  void publish(T value) {
    std::optional<T> replaced;  // destroyed once the mutex is free
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (closed_.load(std::memory_order_relaxed)) {
      throw queue_closed("latest::publish(): the slot is closed: it takes no new values");
    }
    if (value_) replaced.emplace(std::move(*value_));
    value_.emplace(std::move(value));
    version_.store(version_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    wake_all(woken, detail::wake_reason::ready);
  }

  /// The newest value, or empty if none has been published.
  std::optional<versioned> get() const { return get_newer(0); }

  /// The newest value if its version is above `seen`, or empty.
  std::optional<versioned> get_newer(std::uint64_t seen) const {
    if (version() <= seen) return std::nullopt;
    const std::lock_guard lock(mutex_);
    return copy();
  }

  /// Waits for a value whose version is above `seen` and returns the newest. Empty once the slot is closed
  /// and holds nothing newer.
  task<std::optional<versioned>> newer(std::uint64_t seen) {
    while (true) {
      std::optional<versioned> found = get_newer(seen);
      if (found) co_return found;
      detail::coroutine_waiter self;
      auto enlist = [&] { return enlist_waiter(self, seen); };
      auto cancel = [&] { withdraw(self); };
      co_await self.suspend(enlist, cancel);
      if (self.reason() == detail::wake_reason::cancelled) throw cancelled();
      if (self.reason() == detail::wake_reason::closed) co_return get_newer(seen);
    }
  }

  /// As newer(), blocking the calling thread: never call it on a thread that runs an event loop.
  std::optional<versioned> newer_wait(std::uint64_t seen) {
    while (true) {
      std::optional<versioned> found = get_newer(seen);
      if (found) return found;
      detail::thread_waiter self;
      if (enlist_waiter(self, seen)) self.block();
      if (self.reason() == detail::wake_reason::closed) return get_newer(seen);
    }
  }

  /// Takes no new values from now on and wakes all who wait; the value stays readable. Idempotent.
  void close() {
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    closed_.store(true, std::memory_order_release);
    wake_all(woken, detail::wake_reason::closed);
  }

  /// Whether the slot takes no new values.
  bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }
  /// How many values have been published; a momentary value while others use it.
  std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }
  /// How many readers wait; a momentary value while others use it.
  std::size_t waiting() const noexcept { return waiters_.size(); }

 private:
  std::optional<versioned> copy() const {
    return versioned{*value_, version_.load(std::memory_order_relaxed)};
  }

  bool enlist_waiter(detail::waiter& self, std::uint64_t seen) {
    const std::lock_guard lock(mutex_);
    const bool closed = closed_.load(std::memory_order_relaxed);
    if (closed || version_.load(std::memory_order_relaxed) > seen) {
      self.set_reason(closed ? detail::wake_reason::closed : detail::wake_reason::ready);
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

  void wake_all(detail::wake_chain& woken, detail::wake_reason why) noexcept {
    while (!waiters_.empty()) {
      detail::waiter& next = *waiters_.front();
      waiters_.remove(next);
      woken.add(next, why);
    }
  }

  mutable std::mutex mutex_;
  std::optional<T> value_;
  std::atomic<std::uint64_t> version_{0};  // written under the mutex
  std::atomic<bool> closed_{false};        // written under the mutex
  detail::wait_list waiters_;
};

}  // namespace weft
