#pragma once

#include <weft/async/detail/waiter.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>

#include <algorithm>    // for std::min
#include <atomic>       // for std::atomic
#include <cassert>      // for assert
#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::uint8_t, std::uint64_t
#include <limits>       // for std::numeric_limits
#include <memory>       // for std::unique_ptr
#include <mutex>        // for std::mutex
#include <optional>     // for std::optional
#include <string>       // for std::to_string
#include <type_traits>  // for std::is_nothrow_move_constructible_v
#include <utility>      // for std::move, std::exchange
#include <vector>       // for std::vector

namespace weft {

/// What happens to a subscriber of a broadcast that is `capacity` items behind.
enum class lag_policy : std::uint8_t {
  wait,         ///< publishers wait for it, so it misses nothing
  drop_oldest,  ///< it misses the oldest items that it has not read
  keep_latest,  ///< as soon as it is more than one item behind, it misses all but the newest
};

/// One stream of items to any number of subscribers: each sees every item published since it subscribed, in
/// order, unless its lag_policy lets it miss some, which it counts.
///
/// The broadcast keeps its last `capacity` items once, for all subscribers, each of whom copies them out:
/// publishing takes the same time for one subscriber as for many that do not wait. Large items belong into a
/// std::shared_ptr<const T>. While nobody is subscribed, items go nowhere.
///
/// Waiting publishers are served in the order they came, and nobody who comes later publishes before them.
/// While nobody waits, no operation posts, allocates or wakes anyone.
///
/// Thread safety: distinct objects safe; shared objects safe; a subscriber is used by one coroutine or thread
/// at a time.
/// Cancellation: a cancelled operation throws `cancelled`. A cancelled publish() has published nothing, a
/// cancelled next() has read nothing; an operation that completed before the cancellation arrived succeeds.
template <class T>
class broadcast {
  static_assert(std::is_copy_constructible_v<T>,
                "every subscriber gets a copy: wrap a T that has none in std::shared_ptr");
  static_assert(std::is_nothrow_move_constructible_v<T>, "wrap a T whose move may throw in std::shared_ptr");

  struct cursor;

 public:
  /// What it holds.
  using value_type = T;
  class subscriber;

  /// @param capacity how many items a subscriber may be behind, at least 1; throws invalid_argument otherwise
  explicit broadcast(std::size_t capacity) : slots_(checked(capacity)) {}

  broadcast(const broadcast&) = delete;
  broadcast& operator=(const broadcast&) = delete;

  /// There must be no subscribers and no waiting publishers left.
  ~broadcast() { assert(first_ == nullptr && publish_waiters_.empty() && read_waiters_.empty()); }

  /// Joins: the first item that the subscriber sees is the next one published. It must not outlive the
  /// broadcast.
  [[nodiscard]] subscriber subscribe(lag_policy policy = lag_policy::wait) {
    return subscriber(*this, policy);
  }

  /// Hands an item to all subscribers; waits while one of them that must miss nothing is `capacity` behind.
  /// Throws queue_closed once the broadcast is closed.
  ///
  /// The item is destroyed if it is refused; publish_from() leaves it with the caller.
  task<void> publish(T item) {
    if (try_publish(item)) co_return;
    co_await publish_waiting(item);
  }

  /// As publish(), but an item that is refused (closed, cancelled) stays in `item`, which must outlive the
  /// await.
  task<void> publish_from(T& item) {
    if (try_publish(item)) co_return;
    co_await publish_waiting(item);
  }

  /// As publish(), blocking the calling thread: never call it on a thread that runs an event loop.
  void publish_wait(T item) {
    if (try_publish(item)) return;
    offer made{&item, std::nullopt};
    detail::thread_waiter self;
    if (enlist_publisher(self, made)) self.block();
    if (self.reason() == detail::wake_reason::closed) refuse();
  }

  /// Publishes the item, moving from it, if that needs no waiting; otherwise returns false and leaves it
  /// untouched. Throws queue_closed once the broadcast is closed.
  bool try_publish(T& item) {
    std::optional<T> replaced;  // destroyed once the mutex is free
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (closed_.load(std::memory_order_relaxed)) refuse();
    if (!publish_waiters_.empty() || !has_room()) return false;
    store(item, replaced);
    wake_readers(woken, detail::wake_reason::ready);
    return true;
  }

  /// Takes no new items from now on: publishers that wait throw queue_closed, subscribers still read what has
  /// been published, and then get the end. Idempotent.
  void close() {
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    closed_.store(true, std::memory_order_release);
    while (!publish_waiters_.empty()) {
      detail::waiter& next = *publish_waiters_.front();
      publish_waiters_.remove(next);
      woken.add(next, detail::wake_reason::closed);
    }
    wake_readers(woken, detail::wake_reason::closed);
  }

  /// Whether the broadcast takes no new items.
  bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }
  /// How many items a subscriber may be behind.
  std::size_t capacity() const noexcept { return slots_.size(); }
  /// How many subscribers there are; a momentary value while others use it.
  std::size_t subscribers() const noexcept { return subscribers_.load(std::memory_order_relaxed); }
  /// How many items have been published; a momentary value while others use it.
  std::uint64_t published() const noexcept { return published_.load(std::memory_order_relaxed); }
  /// How many publishers wait; a momentary value while others use it.
  std::size_t waiting_publishers() const noexcept { return publish_waiters_.size(); }
  /// How many subscribers wait for an item; a momentary value while others use it.
  std::size_t waiting_subscribers() const noexcept { return read_waiters_.size(); }

 private:
  static constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

  // How far a subscriber has read. Guarded by the mutex, but for `dropped`, which only the subscriber writes.
  struct cursor {
    lag_policy policy;
    std::uint64_t next_item;  // counted from the first item ever published
    std::uint64_t dropped = 0;
    cursor* next = nullptr;
    cursor* previous = nullptr;
  };

  // What a waiting publisher wants to publish, and where it gets what that replaces: its destructor must not
  // run under the mutex.
  struct offer {
    T* item;
    std::optional<T> replaced;
  };

  static std::size_t checked(std::size_t capacity) {
    if (capacity == 0) throw invalid_argument("broadcast: the capacity is 0, it must be at least 1");
    return capacity;
  }

  [[noreturn]] static void refuse() {
    throw queue_closed("broadcast::publish(): the broadcast is closed: it takes no new items");
  }

  task<void> publish_waiting(T& item) {
    offer made{&item, std::nullopt};
    detail::coroutine_waiter self;
    auto enlist = [&] { return enlist_publisher(self, made); };
    auto cancel = [&] { withdraw(publish_waiters_, self); };
    co_await self.suspend(enlist, cancel);
    if (self.reason() == detail::wake_reason::cancelled) throw cancelled();
    if (self.reason() == detail::wake_reason::closed) refuse();
  }

  /// True if `self` now waits; otherwise its reason is set.
  bool enlist_publisher(detail::waiter& self, offer& made) {
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (closed_.load(std::memory_order_relaxed)) {
      self.set_reason(detail::wake_reason::closed);
      return false;
    }
    if (!publish_waiters_.empty() || !has_room()) {
      self.place = &made;
      publish_waiters_.push_back(self);
      return true;
    }
    store(*made.item, made.replaced);
    wake_readers(woken, detail::wake_reason::ready);
    self.set_reason(detail::wake_reason::ready);
    return false;
  }

  bool enlist_reader(detail::waiter& self, const cursor& position) {
    const std::lock_guard lock(mutex_);
    if (position.next_item != published() || closed_.load(std::memory_order_relaxed)) {
      self.set_reason(detail::wake_reason::ready);
      return false;
    }
    read_waiters_.push_back(self);
    return true;
  }

  void withdraw(detail::wait_list& list, detail::waiter& self) {
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (!self.linked()) return;  // already being woken: that outcome stands
    list.remove(self);
    woken.add(self, detail::wake_reason::cancelled);
  }

  /// False if there is nothing to read yet; true with an item, or with none at the end.
  bool read(cursor& position, std::optional<T>& item) {
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    const std::uint64_t end = published();
    if (position.next_item == end) return closed_.load(std::memory_order_relaxed);
    const std::uint64_t from = first_readable(position, end);
    item.emplace(*slots_[from % slots_.size()]);  // if this throws, nothing has been read
    position.dropped += from - position.next_item;
    position.next_item = from + 1;
    if (position.policy == lag_policy::wait) serve_publishers(woken);
    return true;
  }

  // ---- under the mutex

  std::uint64_t first_readable(const cursor& position, std::uint64_t end) const noexcept {
    const std::uint64_t behind = end - position.next_item;
    if (position.policy == lag_policy::keep_latest) return end - 1;
    return behind > slots_.size() ? end - slots_.size() : position.next_item;
  }

  /// Whether the next item may be stored without a subscriber that must miss nothing missing one.
  bool has_room() noexcept {
    if (published() < limit_) return true;
    // The limit is that of the slowest such subscriber when it was last computed; all may have moved on.
    limit_ = no_limit;
    for (const cursor* each = first_; each != nullptr; each = each->next) {
      if (each->policy == lag_policy::wait) limit_ = std::min(limit_, each->next_item + slots_.size());
    }
    return published() < limit_;
  }

  void store(T& item, std::optional<T>& replaced) noexcept {
    const std::uint64_t end = published();
    std::optional<T>& slot = slots_[end % slots_.size()];
    if (first_ != nullptr) {
      if (slot) replaced.emplace(std::move(*slot));
      slot.emplace(std::move(item));
    } else {
      replaced.emplace(std::move(item));  // nobody will ever read it
    }
    published_.store(end + 1, std::memory_order_relaxed);
  }

  void serve_publishers(detail::wake_chain& woken) noexcept {
    bool stored = false;
    while (!publish_waiters_.empty() && has_room()) {
      detail::waiter& next = *publish_waiters_.front();
      publish_waiters_.remove(next);
      auto& made = *static_cast<offer*>(next.place);
      store(*made.item, made.replaced);
      stored = true;
      woken.add(next, detail::wake_reason::ready);
    }
    if (stored) wake_readers(woken, detail::wake_reason::ready);
  }

  void wake_readers(detail::wake_chain& woken, detail::wake_reason why) noexcept {
    while (!read_waiters_.empty()) {
      detail::waiter& next = *read_waiters_.front();
      read_waiters_.remove(next);
      woken.add(next, why);
    }
  }

  void join(cursor& position) {
    const std::lock_guard lock(mutex_);
    position.next_item = published();
    position.next = first_;
    if (first_ != nullptr) first_->previous = &position;
    first_ = &position;
    if (position.policy == lag_policy::wait) limit_ = std::min(limit_, position.next_item + slots_.size());
    subscribers_.fetch_add(1, std::memory_order_relaxed);
  }

  void leave(cursor& position) noexcept {
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    (position.previous != nullptr ? position.previous->next : first_) = position.next;
    if (position.next != nullptr) position.next->previous = position.previous;
    subscribers_.fetch_sub(1, std::memory_order_relaxed);
    serve_publishers(woken);
  }

  std::mutex mutex_;
  std::vector<std::optional<T>> slots_;
  std::atomic<std::uint64_t> published_{0};  // written under the mutex
  std::uint64_t limit_ = no_limit;           // items below this number surely fit
  cursor* first_ = nullptr;
  std::atomic<std::size_t> subscribers_{0};
  std::atomic<bool> closed_{false};  // written under the mutex
  detail::wait_list publish_waiters_;
  detail::wait_list read_waiters_;
};

/// One who reads a broadcast, from the moment it subscribed until it is destroyed. Destroying it lets
/// publishers go on that waited for it; nobody may be waiting in next() then.
///
/// Thread safety: distinct objects safe; one coroutine or thread at a time uses a subscriber.
/// Cancellation: a cancelled next() throws `cancelled` and has read nothing.
template <class T>
class [[nodiscard]] broadcast<T>::subscriber {
 public:
  /// Takes the subscription over; the other may only be destroyed or assigned to.
  subscriber(subscriber&& other) noexcept
      : home_(std::exchange(other.home_, nullptr)), position_(std::move(other.position_)) {}

  /// Ends its own subscription and takes the other over.
  subscriber& operator=(subscriber&& other) noexcept {
    if (this != &other) {
      leave();
      home_ = std::exchange(other.home_, nullptr);
      position_ = std::move(other.position_);
    }
    return *this;
  }

  ~subscriber() { leave(); }

  /// Copies the oldest item that has not been read; waits while there is none. Empty once the broadcast is
  /// closed and all has been read.
  task<std::optional<T>> next() {
    std::optional<T> item;
    while (!home_->read(*position_, item)) {
      detail::coroutine_waiter self;
      auto enlist = [&] { return home_->enlist_reader(self, *position_); };
      auto cancel = [&] { home_->withdraw(home_->read_waiters_, self); };
      co_await self.suspend(enlist, cancel);
      if (self.reason() == detail::wake_reason::cancelled) throw cancelled();
    }
    co_return item;
  }

  /// As next(), blocking the calling thread: never call it on a thread that runs an event loop.
  std::optional<T> next_wait() {
    std::optional<T> item;
    while (!home_->read(*position_, item)) {
      detail::thread_waiter self;
      if (home_->enlist_reader(self, *position_)) self.block();
    }
    return item;
  }

  /// As next(), but empty also if there is nothing to read yet.
  std::optional<T> try_next() {
    std::optional<T> item;
    home_->read(*position_, item);
    return item;
  }

  /// How many items it has missed so far; those that it will miss are counted when it next reads.
  std::uint64_t dropped() const noexcept { return position_->dropped; }

  /// What happens when it is too far behind.
  lag_policy policy() const noexcept { return position_->policy; }

 private:
  friend class broadcast;

  subscriber(broadcast& home, lag_policy policy)
      : home_(&home), position_(std::make_unique<cursor>(cursor{policy, 0})) {
    home.join(*position_);
  }

  void leave() noexcept {
    if (broadcast* home = std::exchange(home_, nullptr)) home->leave(*position_);
  }

  broadcast* home_;
  std::unique_ptr<cursor> position_;
};

}  // namespace weft
