#pragma once

#include <weft/async/detail/spin.hpp>
#include <weft/pool/future.hpp>

#include <algorithm>   // for std::max
#include <atomic>      // for std::atomic
#include <cstddef>     // for std::size_t
#include <cstdint>     // for std::uint64_t
#include <functional>  // for std::greater
#include <map>         // for std::map
#include <mutex>       // for std::lock_guard
#include <utility>     // for std::exchange

namespace weft::detail {

struct call_level;

/// What a call that waits in a call_queue carries beside its function and result.
struct queued_call {
  explicit queued_call(shared_call& whole) noexcept : call(&whole) {}

  shared_call* call;
  queued_call* next = nullptr;
  call_level* level = nullptr;
  std::uint64_t queued_since = 0;  // in trace ticks; 0 when nothing is being recorded
  std::uint64_t flow = 0;
};

/// Linked calls, first in, first out.
struct call_list {
  queued_call* first = nullptr;
  queued_call* last = nullptr;

  void push_back(queued_call& item) noexcept {
    item.next = nullptr;
    (first != nullptr ? last->next : first) = &item;
    last = &item;
  }
  queued_call& pop_front() noexcept { return *std::exchange(first, first->next); }
  void splice(call_list& from) noexcept {
    if (from.first == nullptr) return;
    (first != nullptr ? last->next : first) = from.first;
    last = std::exchange(from, {}).last;
  }
};

/// The waiting calls of one priority.
struct call_level {
  call_list calls;
};

/// A lock for sections of a few instructions.
class spin_lock {
 public:
  void lock() noexcept {
    while (taken_.exchange(true, std::memory_order_acquire)) {
      spin_until([this] { return !taken_.load(std::memory_order_relaxed); });
    }
  }
  void unlock() noexcept { taken_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> taken_{false};
};

/// The calls that wait for a thread of a pool, and how many threads are draining them.
///
/// There are two ends with a lock each. Whoever submits adds to the inbox; a drainer takes from the levels
/// and moves the whole inbox there when they are empty, so that the two seldom meet. With more than one level
/// the inbox is moved before every call, for it may hold something more urgent. Within a level calls come out
/// in the order they went in.
///
/// A thread becomes a drainer because push() said so and ends being one when pop() found nothing, or by
/// resign() if no thread could be had: while the queue holds calls there is a drainer. Lock order: out, in.
class call_queue {
 public:
  explicit call_queue(int drainers) : limit_(drainers), normal_(&levels_[0]) {}
  call_queue(const call_queue&) = delete;
  call_queue& operator=(const call_queue&) = delete;

  /// The level of a priority; higher numbers come out first. Throws std::bad_alloc.
  call_level& level(int priority) {
    const std::lock_guard out(out_lock_);
    call_level& found = levels_[priority];
    several_levels_ = levels_.size() > 1;
    return found;
  }
  /// The level of priority 0.
  call_level& normal() noexcept { return *normal_; }

  /// Adds a call. Returns whether the caller must see to it that one more thread drains.
  bool push(queued_call& item) noexcept {
    const std::lock_guard in(in_lock_);
    inbox_.push_back(item);
    inbox_filled_.store(true, std::memory_order_relaxed);
    mixed_ |= item.level != normal_;
    add(pushed_, 1);
    return admit();
  }

  /// Whether some thread has nothing to do; only a hint.
  bool idle() const noexcept {
    return drainers_.load(std::memory_order_relaxed) < limit_ ||
           searching_.load(std::memory_order_relaxed) > 0;
  }

  /// For a drainer: the next call, or nullptr, and then the thread is no drainer any more and must not touch
  /// the queue again. Sets `activate` if the caller must see to it that one more thread drains.
  queued_call* pop(bool& activate) noexcept {
    if (queued_call* next = try_pop()) return next;
    // Whoever submits a series of small calls has the next one ready in less time than a thread takes to go
    // to sleep and be woken.
    searching_.fetch_add(1, std::memory_order_relaxed);
    for (int spins = 0; spins < search_spins && !inbox_filled_.load(std::memory_order_relaxed); ++spins) {
      pause_processor();
    }
    searching_.fetch_sub(1, std::memory_order_relaxed);
    return pop_or_leave(activate);
  }

  /// Instead of the thread that push() or pop() asked for, when there is none to be had. If nobody else
  /// drains, the calls that wait would never run: they are given to `receive`, which must not throw.
  template <class Receive>
  void resign(Receive receive) noexcept {
    call_list stranded;
    {
      const std::lock_guard out(out_lock_);
      distribute_inbox();
      const std::lock_guard in(in_lock_);
      const int left = drainers_.load(std::memory_order_relaxed) - 1;
      drainers_.store(left, std::memory_order_release);
      if (left > 0) return;
      for (auto& [priority, level] : levels_) stranded.splice(level.calls);
      stranded.splice(inbox_);
      inbox_filled_.store(false, std::memory_order_relaxed);
      drainers_.notify_all();
    }
    give_out(stranded, receive);
  }

  /// How many threads run calls.
  int busy() const noexcept {
    const int searching = searching_.load(std::memory_order_relaxed);
    return std::max(drainers_.load(std::memory_order_relaxed) - searching, 0);
  }

  /// Waits until nothing is queued and nobody drains. Nothing may be pushed meanwhile, except by the calls.
  void wait_until_drained() noexcept {
    for (int left = drainers_.load(std::memory_order_acquire); left != 0;
         left = drainers_.load(std::memory_order_acquire)) {
      drainers_.wait(left, std::memory_order_acquire);
    }
    // The last drainer may still have the locks to release.
    const std::lock_guard out(out_lock_);
    const std::lock_guard in(in_lock_);
  }

  /// Empties the queue, giving each call to `receive`, which must not throw. The calls are not counted as
  /// having come out until it returns.
  template <class Receive>
  std::size_t take_all(Receive receive) noexcept {
    call_list all;
    {
      const std::lock_guard out(out_lock_);
      distribute_inbox();
      for (auto& [priority, level] : levels_) all.splice(level.calls);
    }
    return give_out(all, receive);
  }

  /// How many calls wait.
  std::size_t size() const noexcept {
    // In this order the difference cannot be negative.
    const std::size_t out = popped_.load(std::memory_order_acquire);
    return pushed_.load(std::memory_order_acquire) - out;
  }

 private:
  static constexpr int search_spins = 64;

  template <class Receive>
  std::size_t give_out(call_list& calls, Receive& receive) noexcept {
    std::size_t count = 0;
    while (calls.first != nullptr) {
      receive(calls.pop_front());
      ++count;
    }
    const std::lock_guard out(out_lock_);
    add(popped_, count);
    return count;
  }

  // Only the holder of the counter's lock writes.
  static void add(std::atomic<std::size_t>& counter, std::size_t amount) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_release);
  }

  // Under in_lock_.
  bool admit() noexcept {
    const int now = drainers_.load(std::memory_order_relaxed);
    // A thread that is looking for work will find this call.
    if (now == limit_ || searching_.load(std::memory_order_relaxed) > 0) return false;
    drainers_.store(now + 1, std::memory_order_relaxed);
    return true;
  }

  queued_call* try_pop() noexcept {
    const std::lock_guard out(out_lock_);
    queued_call* next = several_levels_ ? nullptr : take(*normal_);
    if (next != nullptr) return next;
    if (inbox_filled_.load(std::memory_order_relaxed)) distribute_inbox();
    return take_most_urgent();
  }

  queued_call* pop_or_leave(bool& activate) noexcept {
    const std::lock_guard out(out_lock_);
    distribute_inbox();
    queued_call* next = take_most_urgent();
    const std::lock_guard in(in_lock_);
    if (next == nullptr && inbox_.first == nullptr) {
      const int left = drainers_.load(std::memory_order_relaxed) - 1;
      drainers_.store(left, std::memory_order_release);
      if (left == 0) drainers_.notify_all();
      return nullptr;
    }
    if (next == nullptr) {  // submitted since
      next = &inbox_.pop_front();
      add(popped_, 1);
    }
    // Those who submitted during the search relied on this thread to find their calls: all but one of them
    // may want another.
    if (size() > 0) activate = admit();
    return next;
  }

  queued_call* take_most_urgent() noexcept {
    for (auto& [priority, level] : levels_) {
      if (queued_call* next = take(level)) return next;
    }
    return nullptr;
  }

  queued_call* take(call_level& level) noexcept {
    if (level.calls.first == nullptr) return nullptr;
    add(popped_, 1);
    return &level.calls.pop_front();
  }

  // Under out_lock_.
  void distribute_inbox() noexcept {
    call_list arrived;
    bool mixed = false;
    {
      const std::lock_guard in(in_lock_);
      arrived = std::exchange(inbox_, {});
      mixed = std::exchange(mixed_, false);
      inbox_filled_.store(false, std::memory_order_relaxed);
    }
    if (!mixed) return normal_->calls.splice(arrived);
    while (arrived.first != nullptr) {
      queued_call& item = arrived.pop_front();
      item.level->calls.push_back(item);
    }
  }

  const int limit_;

  alignas(64) spin_lock in_lock_;
  bool mixed_ = false;  // whether the inbox holds calls of other levels than the normal one
  std::atomic<bool> inbox_filled_{false};
  call_list inbox_;
  std::atomic<std::size_t> pushed_{0};
  std::atomic<int> drainers_{0};

  alignas(64) spin_lock out_lock_;
  bool several_levels_ = false;
  std::map<int, call_level, std::greater<>> levels_;
  call_level* normal_;
  std::atomic<std::size_t> popped_{0};

  alignas(64) std::atomic<int> searching_{0};
};

}  // namespace weft::detail
