#pragma once

#include <weft/async/detail/attempt.hpp>
#include <weft/async/detail/callback_waiter.hpp>
#include <weft/async/detail/ring.hpp>
#include <weft/async/detail/waiter.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>
#include <weft/observe/span.hpp>
#include <weft/observe/trace.hpp>

#include <algorithm>    // for std::min
#include <atomic>       // for std::atomic
#include <cassert>      // for assert
#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::uint64_t
#include <exception>    // for std::exception_ptr
#include <mutex>        // for std::mutex
#include <optional>     // for std::optional
#include <span>         // for std::span
#include <string>       // for std::to_string
#include <type_traits>  // for std::is_nothrow_destructible_v
#include <utility>      // for std::move
#include <vector>       // for std::vector

namespace weft {

namespace detail {

template <class T, class Item>
class push_attempt;
template <class T>
class pop_attempt;
template <class T>
class push_all_attempt;
template <class T>
class pop_some_attempt;

/// Outcome of queue<T>::push(); Item is T, or T& for push_from().
template <class T, class Item>
struct pushed {
  using awaited = void;
  using attempt = push_attempt<T, Item>;
};

/// An outcome that holds a Value and converts to it.
template <class Value, class Attempt>
struct outcome_of {
  using awaited = Value;
  using attempt = Attempt;

  outcome_of() = default;
  outcome_of(Value given) : value(std::move(given)) {}  // NOLINT(google-explicit-constructor)
  operator Value() && { return std::move(value); }      // NOLINT(google-explicit-constructor)

  Value value{};
};

template <class T>
using popped = outcome_of<std::optional<T>, pop_attempt<T>>;
template <class T>
using pushed_all = outcome_of<std::size_t, push_all_attempt<T>>;
template <class T>
using popped_some = outcome_of<std::vector<T>, pop_some_attempt<T>>;

}  // namespace detail

/// A bounded first-in first-out queue between coroutines, threads, or both.
///
/// push() waits while the queue is full and pop() while it is empty; waiters are served in the order they
/// came, and nobody who comes later takes an item or a place before them. While there is room and nobody
/// waits, no operation posts, allocates, locks or wakes anyone. A coroutine that waited resumes on its own
/// executor.
///
/// close() refuses new items and lets the queued ones out; it is not destruction: a queue that is destroyed
/// must have no waiters. A program that must know when the popped items have been worked off calls done() for
/// each and awaits drained().
///
/// If moving a T can throw, the queue works under a mutex; a throwing move then reaches whoever waits for
/// that item or place, and leaves the item where it was.
///
/// Thread safety: distinct objects safe; shared objects safe.
/// Cancellation: a cancelled operation throws `cancelled`. A cancelled push() has not enqueued its item, a
/// cancelled pop() has taken none; an operation that completed before the cancellation arrived succeeds.
template <class T>
class queue {
  static_assert(std::is_move_constructible_v<T> && std::is_nothrow_destructible_v<T>);

 public:
  /// What it holds.
  using value_type = T;

  /// @param capacity how many items fit, 1 to 2^27 - 1; throws invalid_argument otherwise
  /// @param name under which waits for it stand in a trace
  explicit queue(std::size_t capacity, trace_name name = "queue") : ring_(checked(capacity)), name_(name) {}

  queue(const queue&) = delete;
  queue& operator=(const queue&) = delete;

  ~queue() { assert(push_waiters_.empty() && pop_waiters_.empty() && drain_waiters_.empty()); }

  // ---- coroutines ---------------------------------------------------------------------------------------

  /// Appends an item; waits while the queue is full. Throws queue_closed once the queue is closed.
  ///
  /// The item is destroyed if it is refused; push_from() leaves it with the caller. This and the next four
  /// return what awaits and converts like a task<void>, or a task of what they say they return, and becomes a
  /// coroutine only if it waits. What Asio itself runs (co_spawn, `||`) gets an object that converts to it.
  task<detail::pushed<T, T>> push(T item) {
    return task<detail::pushed<T, T>>(detail::push_attempt<T, T>(*this, std::move(item)));
  }

  /// As push(), but an item that is refused (closed, cancelled) stays in `item`, which must outlive the
  /// await.
  task<detail::pushed<T, T&>> push_from(T& item) {
    return task<detail::pushed<T, T&>>(detail::push_attempt<T, T&>(*this, item));
  }

  /// Takes the oldest item; waits while the queue is empty. Returns a std::optional<T>, empty once the queue
  /// is closed and drained.
  task<detail::popped<T>> pop() { return task<detail::popped<T>>(detail::pop_attempt<T>(*this)); }

  /// Appends the items in order, waiting whenever the queue is full, and moves from each that went in.
  /// Returns how many did, a std::size_t: fewer than all only if the queue was closed meanwhile. The span
  /// must outlive the await.
  ///
  /// Other producers' items may come between. A cancellation leaves in place what has not gone in.
  task<detail::pushed_all<T>> push_all(std::span<T> items) {
    return task<detail::pushed_all<T>>(detail::push_all_attempt<T>(*this, items));
  }

  /// As above, for items that are given away; those that did not go in are destroyed.
  task<std::size_t> push_all(std::vector<T> items) {
    const std::size_t in = co_await push_all(std::span<T>(items));
    co_return in;
  }

  /// Takes at least one and at most `count` items, oldest first; waits while the queue is empty. Returns a
  /// std::vector<T>, empty once the queue is closed and drained, or if count is 0.
  task<detail::popped_some<T>> pop_some(std::size_t count) {
    return task<detail::popped_some<T>>(detail::pop_some_attempt<T>(*this, count));
  }

  /// Waits until every item that was ever pushed has been popped and reported by done(), or was discarded.
  task<void> drained() {
    detail::coroutine_waiter self;
    auto enlist = [&] {
      const std::lock_guard lock(mutex_);
      // Before the read of done_ in outstanding(), as done() adds to done_ before it reads this: one of the
      // two sees the other.
      drain_awaited_.store(true, std::memory_order_seq_cst);
      if (outstanding(done_.load(std::memory_order_seq_cst)) == 0) {
        drain_awaited_.store(!drain_waiters_.empty(), std::memory_order_seq_cst);
        self.set_reason(wake_reason::ready);
        return false;
      }
      drain_waiters_.push_back(self);
      return true;
    };
    auto cancel = [&] { withdraw(drain_waiters_, self); };
    co_await self.suspend(enlist, cancel);
    if (self.reason() == wake_reason::cancelled) throw cancelled();
  }

  // ---- plain threads ------------------------------------------------------------------------------------

  /// As push(), blocking the calling thread: never call it on a thread that runs an event loop.
  void push_wait(T item) {
    if (push_soon(item)) return;
    detail::thread_waiter self;
    const async_span waiting(name_, "full", static_cast<double>(capacity()));
    if (enlist_push(self, item)) self.block();
    if (!went_in(self)) throw queue_closed();
  }

  /// As pop(), blocking the calling thread: never call it on a thread that runs an event loop.
  std::optional<T> pop_wait() {
    std::optional<T> item;
    if (pop_soon(item)) return item;
    detail::thread_waiter self;
    const async_span waiting(name_, "empty", 0);
    if (enlist_pop(self, item)) self.block();
    if (self.failure) std::rethrow_exception(self.failure);
    return item;
  }

  // ---- callbacks ------------------------------------------------------------------------------------------

  /// As push(), as an asynchronous operation of Asio: `token` is a callback `void(std::exception_ptr)` or any
  /// other completion token. The callback runs on its associated executor, never inside this call, and keeps
  /// that executor's event loop alive until then; it gets queue_closed, `cancelled`, or null. Throws nothing
  /// but std::bad_alloc.
  ///
  /// Cancellation: through the callback's cancellation slot, emitted on the callback's executor.
  template <class Token>
  auto async_push(T item, Token&& token) {
    return boost::asio::async_initiate<Token, void(std::exception_ptr)>(
        [this](auto handler, T given) {
          using operation = detail::callback_waiter<decltype(handler), T, push_outcome>;
          operation& self = operation::make(std::move(handler), std::move(given));
          self.on_cancel([this, &self] { withdraw(push_waiters_, self); });
          if (!enlist_push(self, self.item)) self.wake();
        },
        token, std::move(item));
  }

  /// As pop(), likewise: the callback is `void(std::exception_ptr, std::optional<T>)`.
  template <class Token>
  auto async_pop(Token&& token) {
    return boost::asio::async_initiate<Token, void(std::exception_ptr, std::optional<T>)>(
        [this](auto handler) {
          using operation = detail::callback_waiter<decltype(handler), std::optional<T>, pop_outcome>;
          operation& self = operation::make(std::move(handler), std::nullopt);
          self.on_cancel([this, &self] { withdraw(pop_waiters_, self); });
          if (!enlist_pop(self, self.item)) self.wake();
        },
        token);
  }

  // ---- without waiting ----------------------------------------------------------------------------------

  /// Appends the item, moving from it, if there is room and no push waits; otherwise returns false and leaves
  /// it untouched. Throws queue_closed once the queue is closed.
  bool try_push(T& item) { return push_now(item); }

  /// Takes the oldest item if there is one and no pop waits.
  std::optional<T> try_pop() {
    std::optional<T> item;
    pop_now(item);
    return item;
  }

  /// Reports that `count` popped items have been worked off. Throws invalid_argument, and changes nothing, if
  /// that is more than were pushed and not yet reported.
  void done(std::size_t count = 1) {
    std::uint64_t before = done_.load(std::memory_order_relaxed);
    do {
      if (const std::uint64_t most = outstanding(before); count > most) {
        throw invalid_argument("queue::done(" + std::to_string(count) + "): only " + std::to_string(most) +
                               " items are not yet done");
      }
    } while (!done_.compare_exchange_weak(before, before + count, std::memory_order_seq_cst));
    if (!drain_awaited_.load(std::memory_order_seq_cst)) return;
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    release_drained(woken);
  }

  /// Refuses new items from now on: pushes that wait throw queue_closed, queued items still come out, and
  /// pops that wait on the empty queue return empty. Idempotent.
  void close() {
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    close_locked(woken);
  }

  /// As close(), and throws away what is queued. Returns how many items that was; they count as done.
  std::size_t close_and_discard() {
    std::vector<T> discarded;  // outlives the lock: a destructor may use this queue
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    close_locked(woken);
    const std::size_t count = ring_.frozen_size();
    discarded.reserve(count);
    while (ring_.frozen_size() != 0)
      ring_.frozen_pop([&](T&& item) { discarded.push_back(std::move(item)); });
    done_.fetch_add(count, std::memory_order_seq_cst);
    release_drained(woken);
    return count;
  }

  /// Whether the queue refuses new items. There may still be items to pop.
  bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }

  /// Items in the queue; a momentary value while others use it.
  std::size_t size() const noexcept { return ring_.size(); }
  /// How many items fit.
  std::size_t capacity() const noexcept { return ring_.capacity(); }
  /// Pushes that wait for room; a momentary value while others use it.
  std::size_t waiting_pushes() const noexcept { return push_waiters_.size(); }
  /// Pops that wait for an item; a momentary value while others use it.
  std::size_t waiting_pops() const noexcept { return pop_waiters_.size(); }

 private:
  template <class, class>
  friend class detail::push_attempt;
  friend class detail::pop_attempt<T>;
  friend class detail::push_all_attempt<T>;
  friend class detail::pop_some_attempt<T>;

  using ring_type = detail::ring<T>;
  using wake_reason = detail::wake_reason;
  using claim = detail::claim;

  static std::size_t checked(std::size_t capacity) {
    if (capacity == 0 || capacity > ring_type::max_capacity) {
      throw invalid_argument("queue: the capacity is " + std::to_string(capacity) + ", it must be 1 to " +
                             std::to_string(ring_type::max_capacity));
    }
    return capacity;
  }

  // ---- attempts that do not wait: lock-free, or under the mutex while the ring is frozen ------------------

  bool push_now(T& item) { return push_some_now(std::span<T>(&item, 1), refuse::by_throwing) == 1; }

  enum class refuse : std::uint8_t { silently, by_throwing };
  std::size_t push_some_now(std::span<T> items, refuse how = refuse::silently) {
    if constexpr (ring_type::lock_free) {
      const auto [in, outcome] = ring_.try_push_some(items.data(), items.size());
      if (outcome != claim::frozen) return in;
    }
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (closed()) {
      if (how == refuse::by_throwing) throw queue_closed();
      return 0;
    }
    const thaw_at_exit thaw(*this);
    ring_.note_push();
    std::size_t in = 0;
    for (; in < items.size() && has_place(); ++in) {
      ring_.frozen_push(items[in]);
      serve_pops(woken);
    }
    return in;
  }

  /// As push_now(), and gives another thread a moment to make room.
  bool push_soon(T& item) {
    do {
      if (push_now(item)) return true;
    } while (ring_.spin_for_place());
    return false;
  }

  /// Adds to `in` how many of the items after that went in; true if none is left.
  bool push_some_soon(std::span<T> items, std::size_t& in) {
    do {
      in += push_some_now(items.subspan(in));
      if (in == items.size()) return true;
    } while (ring_.spin_for_place());
    return false;
  }

  bool pop_some_soon(std::vector<T>& items, std::size_t count) {
    items.reserve(std::min(count, capacity()));
    do {
      if (count == 0 || pop_some_now(items, count) != 0) return true;
    } while (ring_.spin_for_item());
    return false;
  }

  /// As pop_now(), and gives another thread a moment to bring an item.
  bool pop_soon(std::optional<T>& item) {
    do {
      if (pop_now(item)) return true;
    } while (ring_.spin_for_item());
    return false;
  }

  /// False if there is nothing to take yet; true with an item, or with none at the end.
  bool pop_now(std::optional<T>& item) {
    return pop_some_now(1, [&](T&& taken) { item.emplace(std::move(taken)); }) != 0 || at_end();
  }

  std::size_t pop_some_now(std::vector<T>& items, std::size_t count) {
    // The lock-free path may not throw, so room is made before.
    const std::size_t most = std::min(count, items.capacity() - items.size());
    return pop_some_now(most, [&](T&& taken) { items.push_back(std::move(taken)); });
  }

  template <class Take>
  std::size_t pop_some_now(std::size_t count, Take take) {
    if constexpr (ring_type::lock_free) {
      const auto [out, outcome] = ring_.try_pop_some(count, take);
      if (outcome != claim::frozen) return out;
    }
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    const thaw_at_exit thaw(*this);
    ring_.note_pop();
    std::size_t out = 0;
    for (; out < count && has_item(); ++out) {
      ring_.frozen_pop(take);
      serve_pushes(woken);
    }
    return out;
  }

  // A closed queue only shrinks, so empty after closed is the end.
  bool at_end() const noexcept { return closed() && ring_.size() == 0; }

  // ---- waiting --------------------------------------------------------------------------------------------

  task<bool> push_waiting(T& item) {
    detail::coroutine_waiter self;
    auto enlist = [&] { return enlist_push(self, item); };
    auto cancel = [&] { withdraw(push_waiters_, self); };
    const async_span waiting(name_, "full", static_cast<double>(capacity()));
    co_await self.suspend(enlist, cancel);
    co_return went_in(self);
  }

  /// Pushes what push_some_soon() left of the items; `in` counts those that went in. True at the end.
  task<bool> push_all_waiting(std::span<T> items, std::size_t& in) {
    do {
      const bool went_in = co_await push_waiting(items[in]);
      if (!went_in) break;
      ++in;
    } while (!push_some_soon(items, in));
    co_return true;
  }

  task<bool> pop_some_waiting(std::vector<T>& items, std::size_t count) {
    std::optional<T> first;
    co_await pop_waiting(first);
    if (first) {
      items.push_back(std::move(*first));
      pop_some_now(items, count - 1);
    }
    co_return true;
  }

  /// True once it is known whether there is an item.
  task<bool> pop_waiting(std::optional<T>& item) {
    detail::coroutine_waiter self;
    auto enlist = [&] { return enlist_pop(self, item); };
    auto cancel = [&] { withdraw(pop_waiters_, self); };
    const async_span waiting(name_, "empty", 0);
    co_await self.suspend(enlist, cancel);
    if (self.failure) std::rethrow_exception(self.failure);
    if (self.reason() == wake_reason::cancelled) throw cancelled();
    co_return true;
  }

  // How a callback learns what became of its operation.
  struct push_outcome {
    template <class Handler>
    static void report(Handler& handler, std::exception_ptr error, T&) {
      std::move(handler)(std::move(error));
    }
    static std::exception_ptr at_close() { return std::make_exception_ptr(queue_closed()); }
  };
  struct pop_outcome {
    template <class Handler>
    static void report(Handler& handler, std::exception_ptr error, std::optional<T>& item) {
      std::move(handler)(std::move(error), std::move(item));
    }
    static std::exception_ptr at_close() { return nullptr; }
  };

  static bool went_in(const detail::waiter& self) {
    if (self.failure) std::rethrow_exception(self.failure);
    if (self.reason() == wake_reason::cancelled) throw cancelled();
    return self.reason() == wake_reason::ready;
  }

  /// True if `self` now waits; otherwise its reason is set.
  bool enlist_push(detail::waiter& self, T& item) {
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (closed()) {
      self.set_reason(wake_reason::closed);
      return false;
    }
    const thaw_at_exit thaw(*this);
    self.place = &item;
    if (!has_place()) {
      push_waiters_.push_back(self);
      return true;
    }
    give(self);
    self.set_reason(wake_reason::ready);
    serve_pops(woken);
    return false;
  }

  bool enlist_pop(detail::waiter& self, std::optional<T>& item) {
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    const thaw_at_exit thaw(*this);
    self.place = &item;
    if (has_item()) {
      take(self);
      self.set_reason(wake_reason::ready);
      serve_pushes(woken);
      return false;
    }
    if (closed()) {
      self.set_reason(wake_reason::closed);
      return false;
    }
    pop_waiters_.push_back(self);
    return true;
  }

  void withdraw(detail::wait_list& list, detail::waiter& self) {
    detail::wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (!self.linked()) return;  // already being woken: that outcome stands
    list.remove(self);
    woken.add(self, wake_reason::cancelled);
    if (&list != &drain_waiters_) thaw_if_idle();
  }

  // ---- under the mutex ------------------------------------------------------------------------------------

  // Waiting pushes and waiting pops never exist together: pops wait only while the ring is empty, pushes only
  // while it is full, and whoever changes that serves the waiters before releasing the mutex. While anyone
  // waits the ring stays frozen, so that nobody overtakes.

  class thaw_at_exit {
   public:
    explicit thaw_at_exit(queue& owner) noexcept : owner_(owner) { owner_.ring_.freeze(); }
    thaw_at_exit(const thaw_at_exit&) = delete;
    thaw_at_exit& operator=(const thaw_at_exit&) = delete;
    ~thaw_at_exit() { owner_.thaw_if_idle(); }

   private:
    queue& owner_;
  };

  void thaw_if_idle() noexcept {
    if (push_waiters_.empty() && pop_waiters_.empty() && !closed()) ring_.thaw();
  }

  bool has_place() const noexcept { return push_waiters_.empty() && ring_.frozen_size() < ring_.capacity(); }
  bool has_item() const noexcept { return pop_waiters_.empty() && ring_.frozen_size() != 0; }

  void give(detail::waiter& from) noexcept {
    try {
      ring_.frozen_push(*static_cast<T*>(from.place));
    } catch (...) {
      from.failure = std::current_exception();
    }
  }

  void take(detail::waiter& to) noexcept {
    try {
      ring_.frozen_pop([&](T&& item) { static_cast<std::optional<T>*>(to.place)->emplace(std::move(item)); });
    } catch (...) {
      to.failure = std::current_exception();
    }
  }

  void serve_pushes(detail::wake_chain& woken) noexcept {
    while (!push_waiters_.empty() && ring_.frozen_size() < ring_.capacity()) {
      detail::waiter& next = *push_waiters_.front();
      push_waiters_.remove(next);
      give(next);
      woken.add(next, wake_reason::ready);
    }
  }

  void serve_pops(detail::wake_chain& woken) noexcept {
    while (!pop_waiters_.empty() && ring_.frozen_size() != 0) {
      detail::waiter& next = *pop_waiters_.front();
      pop_waiters_.remove(next);
      take(next);
      woken.add(next, wake_reason::ready);
    }
  }

  void close_locked(detail::wake_chain& woken) noexcept {
    ring_.freeze();
    closed_.store(true, std::memory_order_release);
    for (detail::wait_list* list : {&push_waiters_, &pop_waiters_}) {
      while (!list->empty()) {
        detail::waiter& next = *list->front();
        list->remove(next);
        woken.add(next, wake_reason::closed);
      }
    }
  }

  void release_drained(detail::wake_chain& woken) noexcept {
    if (outstanding(done_.load(std::memory_order_seq_cst)) != 0) return;
    drain_awaited_.store(false, std::memory_order_seq_cst);
    while (!drain_waiters_.empty()) {
      detail::waiter& next = *drain_waiters_.front();
      drain_waiters_.remove(next);
      woken.add(next, wake_reason::ready);
    }
  }

  /// Items that went in and are not among the first `done` reported ones.
  std::uint64_t outstanding(std::uint64_t done) const noexcept {
    const std::uint64_t modulus = ring_.position_modulus();
    return (ring_.pushed() + modulus - done % modulus) % modulus;
  }

  ring_type ring_;
  const trace_name name_;
  std::atomic<bool> closed_{false};
  std::atomic<bool> drain_awaited_{false};
  std::atomic<std::uint64_t> done_{0};
  std::mutex mutex_;
  detail::wait_list push_waiters_;
  detail::wait_list pop_waiters_;
  detail::wait_list drain_waiters_;
};

namespace detail {

template <class T, class Item>
class push_attempt {
 public:
  push_attempt(queue<T>& to, Item item) : to_(&to), item_(std::forward<Item>(item)) {}

  bool now() { return to_->push_soon(item_); }
  task<bool> later() { return to_->push_waiting(item_); }
  pushed<T, Item> result(bool went_in) const {
    if (!went_in) throw queue_closed();
    return {};
  }

 private:
  queue<T>* to_;
  Item item_;
};

template <class T>
class pop_attempt {
 public:
  explicit pop_attempt(queue<T>& from) noexcept : from_(&from) {}
  // It is moved only before it is tried: to copy what is not there yet would cost more than to pop it.
  pop_attempt(pop_attempt&& other) noexcept : from_(other.from_) {}

  bool now() { return from_->pop_soon(item_); }
  task<bool> later() { return from_->pop_waiting(item_); }
  std::optional<T> result(bool) {
    // Piece by piece: an optional read as a whole, just after its parts were written, has to wait for them.
    std::optional<T> item;
    if (item_) item.emplace(std::move(*item_));
    return item;
  }

 private:
  queue<T>* from_;
  std::optional<T> item_;
};

template <class T>
class push_all_attempt {
 public:
  push_all_attempt(queue<T>& to, std::span<T> items) noexcept : to_(&to), items_(items) {}

  bool now() { return to_->push_some_soon(items_, in_); }
  task<bool> later() { return to_->push_all_waiting(items_, in_); }
  std::size_t result(bool) const noexcept { return in_; }

 private:
  queue<T>* to_;
  std::span<T> items_;
  std::size_t in_ = 0;
};

template <class T>
class pop_some_attempt {
 public:
  pop_some_attempt(queue<T>& from, std::size_t count) noexcept : from_(&from), count_(count) {}

  bool now() { return from_->pop_some_soon(items_, count_); }
  task<bool> later() { return from_->pop_some_waiting(items_, count_); }
  std::vector<T> result(bool) { return std::move(items_); }

 private:
  queue<T>* from_;
  std::size_t count_;
  std::vector<T> items_;
};

}  // namespace detail

}  // namespace weft
