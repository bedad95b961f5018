#pragma once

#include <weft/async/detail/spin.hpp>

#include <algorithm>    // for std::min
#include <atomic>       // for std::atomic
#include <cstddef>      // for std::size_t, std::byte
#include <cstdint>      // for std::uint32_t, std::uint64_t
#include <memory>       // for std::construct_at, std::destroy_at, std::unique_ptr
#include <new>          // for std::launder
#include <thread>       // for std::this_thread::yield
#include <type_traits>  // for std::is_nothrow_move_constructible_v
#include <utility>      // for std::move, std::exchange, std::pair

namespace weft::detail {

/// Outcome of a claim that does not wait.
enum class claim : std::uint8_t {
  done,     ///< the item went in or came out
  blocked,  ///< the ring looked full (or empty) at some moment during the call
  frozen,   ///< somebody froze the ring: take its owner's mutex and use the locked operations
};

/// A bounded ring whose slots carry turn counters (the bounded queue of D. Vyukov, with the turn of each slot
/// as in E. Rigtorp's MPMCQueue), plus a way to stop the lock-free traffic so that waiters can be served in
/// order.
///
/// Two words, tail (next slot to fill) and head (next slot to empty), each pack
///
///     bit 0: frozen | bits 1..27: slot index | bits 28..63: turn
///
/// and a slot's state is 2 * turn while it is free for that turn and 2 * turn + 1 while it is full. A push
/// claims its slot with one CAS on tail, moves the item in and publishes the slot with a release store; a pop
/// does the same on head. Because `frozen` stands in the claimed words themselves, freezing is ordered with
/// every claim by the modification order of the word: after freeze() no new lock-free claim can succeed, and
/// the claims that came before are visible in the words, at worst still moving their item, for which the
/// locked operations spin. So no fence is needed between publishing an item and looking for waiters.
///
/// Items whose move may throw never use the lock-free path: their ring stays frozen, and the locked
/// operations leave it unchanged when a move throws.
///
/// Atomic is std::atomic, except where a test explores the interleavings of what is done to it.
template <class T, template <class> class Atomic = std::atomic>
class ring {
 public:
  static constexpr std::size_t max_capacity = (std::size_t{1} << 27) - 1;
  static constexpr bool lock_free = std::is_nothrow_move_constructible_v<T>;

  explicit ring(std::size_t capacity) : capacity_(capacity), slots_(new slot[capacity]) {
    if constexpr (!lock_free) freeze();
  }

  ring(const ring&) = delete;
  ring& operator=(const ring&) = delete;

  ~ring() {
    std::uint64_t position = head_.load(std::memory_order_acquire) & ~frozen_bit;
    const std::uint64_t end = tail_.load(std::memory_order_acquire) & ~frozen_bit;
    for (; position != end; position = advance(position)) at(position).destroy();
  }

  std::size_t capacity() const noexcept { return capacity_; }

  /// Items in the ring; exact while nobody else touches it.
  std::size_t size() const noexcept {
    const std::uint64_t head = head_.load(std::memory_order_acquire);
    const std::uint64_t tail = tail_.load(std::memory_order_acquire);
    const auto count = static_cast<std::int64_t>(position(tail) - position(head));
    if (count < 0) return 0;
    return static_cast<std::size_t>(count) < capacity_ ? static_cast<std::size_t>(count) : capacity_;
  }

  /// How many items ever went in, modulo position_modulus().
  std::uint64_t pushed() const noexcept { return position(tail_.load(std::memory_order_acquire)); }
  std::uint64_t position_modulus() const noexcept { return capacity_ << turn_bits; }

  // ---- lock-free operations -----------------------------------------------------------------------------

  claim try_push(T& item) noexcept requires lock_free { return try_push_some(&item, 1).second; }

  /// Moves up to `count` items in with one claim, in order. Returns how many went in.
  std::pair<std::size_t, claim> try_push_some(T* items, std::size_t count) noexcept requires lock_free {
    std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    for (;;) {
      if ((tail & frozen_bit) != 0) return {0, claim::frozen};
      // A slot that is free for its turn stays free until tail passes it, so the CAS confirms all of them.
      const std::size_t room = run_of(tail, count, free_state(tail));
      if (room == 0) {
        const std::uint64_t now = tail_.load(std::memory_order_relaxed);
        if (now == tail) return {0, claim::blocked};
        tail = now;
      } else if (tail_.compare_exchange_weak(tail, advance(tail, room), std::memory_order_relaxed,
                                             std::memory_order_relaxed)) {
        note(pusher_);
        for_each(tail, room, free_state(tail), [&](slot& to, std::uint32_t free) {
          to.construct(std::move(*items++));
          to.state.store(free + 1, std::memory_order_release);
        });
        return {room, claim::done};
      }
    }
  }

  /// Takes the oldest item and hands it to `take(T&&)`, which must not throw.
  template <class Take>
  claim try_pop(Take&& take) noexcept requires lock_free {
    return try_pop_some(1, take).second;
  }

  /// Takes up to `count` items with one claim, oldest first.
  template <class Take>
  std::pair<std::size_t, claim> try_pop_some(std::size_t count, Take&& take) noexcept requires lock_free {
    std::uint64_t head = head_.load(std::memory_order_relaxed);
    for (;;) {
      if ((head & frozen_bit) != 0) return {0, claim::frozen};
      const std::size_t ready = run_of(head, count, full_state(head));
      if (ready == 0) {
        const std::uint64_t now = head_.load(std::memory_order_relaxed);
        if (now == head) return {0, claim::blocked};
        head = now;
      } else if (head_.compare_exchange_weak(head, advance(head, ready), std::memory_order_relaxed,
                                             std::memory_order_relaxed)) {
        note(popper_);
        for_each(head, ready, full_state(head), [&](slot& from, std::uint32_t full) {
          take(std::move(*from.item()));
          from.destroy();
          from.state.store(full + 1, std::memory_order_release);
        });
        return {ready, claim::done};
      }
    }
  }

  /// Before a push waits: spins for a short while if the last pop came from another thread, which may well be
  /// about to make room. True if there is room now. Worth at most what suspending and waking cost, and worth
  /// less the more often it was in vain.
  bool spin_for_place() noexcept {
    return spin(popper_, place_patience_, [this](std::size_t further) {
      std::uint64_t tail = tail_.load(std::memory_order_relaxed);
      if ((tail & frozen_bit) != 0) return look::give_up;
      tail = advance(tail, further);
      return at(tail).state.load(std::memory_order_relaxed) == free_state(tail) ? look::ready : look::again;
    });
  }

  /// Before a pop waits, likewise.
  bool spin_for_item() noexcept {
    return spin(pusher_, item_patience_, [this](std::size_t further) {
      std::uint64_t head = head_.load(std::memory_order_relaxed);
      if ((head & frozen_bit) != 0) return look::give_up;
      head = advance(head, further);
      return at(head).state.load(std::memory_order_relaxed) == full_state(head) ? look::ready : look::again;
    });
  }

  // ---- locked operations: the caller holds the owner's mutex and the ring is frozen -----------------------

  /// Stops lock-free claims. Idempotent.
  void freeze() noexcept {
    if (std::exchange(frozen_, true)) return;
    tail_.fetch_or(frozen_bit, std::memory_order_acq_rel);
    head_.fetch_or(frozen_bit, std::memory_order_acq_rel);
  }

  /// Lets lock-free claims go on, unless T's move may throw.
  void thaw() noexcept {
    if constexpr (lock_free) {
      if (!std::exchange(frozen_, false)) return;
      // While frozen, only the mutex holder writes the words.
      head_.store(head_.load(std::memory_order_relaxed) & ~frozen_bit, std::memory_order_release);
      tail_.store(tail_.load(std::memory_order_relaxed) & ~frozen_bit, std::memory_order_release);
    }
  }

  /// Items in the ring, those of unfinished claims included.
  std::size_t frozen_size() const noexcept {
    return position(tail_.load(std::memory_order_relaxed)) - position(head_.load(std::memory_order_relaxed));
  }

  /// Moves the item in; the ring is not full. If the move throws, nothing has changed.
  void frozen_push(T& item) noexcept(lock_free) {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    slot& to = at(tail);
    await_state(to, free_state(tail));
    to.construct(std::move(item));
    to.state.store(full_state(tail), std::memory_order_release);
    tail_.store(advance(tail), std::memory_order_release);
  }

  /// The calling thread has pushed (popped) through the locked operations: who waits for the other side is to
  /// know that it is another thread.
  void note_push() noexcept { note(pusher_); }
  void note_pop() noexcept { note(popper_); }

  /// Hands the oldest item to `take(T&&)`; the ring is not empty. If `take` throws, the item stays.
  template <class Take>
  void frozen_pop(Take&& take) {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    slot& from = at(head);
    await_state(from, full_state(head));
    take(std::move(*from.item()));
    from.destroy();
    from.state.store(free_state(head) + 2, std::memory_order_release);
    head_.store(advance(head), std::memory_order_release);
  }

 private:
  static constexpr int turn_shift = 28;
  static constexpr int turn_bits = 64 - turn_shift;
  static constexpr std::uint64_t frozen_bit = 1;
  static constexpr std::uint64_t index_step = 2;
  static constexpr std::uint64_t index_mask = (std::uint64_t{1} << turn_shift) - 1 - frozen_bit;

  struct slot {
    Atomic<std::uint32_t> state{0};
    alignas(T) std::byte bytes[sizeof(T)];

    T* item() noexcept { return std::launder(static_cast<T*>(static_cast<void*>(bytes))); }
    void construct(T&& value) noexcept(lock_free) {
      std::construct_at(static_cast<T*>(static_cast<void*>(bytes)), std::move(value));
    }
    void destroy() noexcept { std::destroy_at(item()); }
  };

  static std::uint32_t free_state(std::uint64_t word) noexcept {
    return static_cast<std::uint32_t>(word >> turn_shift) * 2;
  }
  static std::uint32_t full_state(std::uint64_t word) noexcept { return free_state(word) + 1; }

  slot& at(std::uint64_t word) noexcept { return slots_[(word & index_mask) >> 1]; }

  /// The word of the slot that is `slots` further on, at most capacity(), with its frozen bit.
  std::uint64_t advance(std::uint64_t word, std::size_t slots = 1) const noexcept {
    const std::size_t before_wrap = capacity_ - ((word & index_mask) >> 1);
    if (slots < before_wrap) return word + slots * index_step;
    return ((((word >> turn_shift) + 1) << turn_shift) | (word & frozen_bit)) +
           (slots - before_wrap) * index_step;
  }

  /// How many of the next `count` slots from `word` are in the state `wanted`, which grows by two at the
  /// wrap.
  std::size_t run_of(std::uint64_t word, std::size_t count, std::uint32_t wanted) const noexcept {
    const std::size_t first = (word & index_mask) >> 1;
    const auto matches = [&](std::size_t index, std::uint32_t state) {
      return slots_[index].state.load(std::memory_order_acquire) == state;
    };
    if (count == 1) return matches(first, wanted) ? 1 : 0;
    const std::size_t before_wrap = std::min(count, capacity_ - first);
    std::size_t run = 0;
    while (run < before_wrap && matches(first + run, wanted)) ++run;
    if (run < before_wrap) return run;
    const std::size_t most = std::min(count, capacity_);
    while (run < most && matches(run - before_wrap, wanted + 2)) ++run;
    return run;
  }

  /// Calls f(slot, state) for `count` slots from `word`, in order; the state likewise.
  template <class F>
  void for_each(std::uint64_t word, std::size_t count, std::uint32_t state, F f) noexcept {
    const std::size_t first = (word & index_mask) >> 1;
    if (count == 1) return f(slots_[first], state);
    const std::size_t before_wrap = std::min(count, capacity_ - first);
    for (std::size_t i = 0; i < before_wrap; ++i) f(slots_[first + i], state);
    for (std::size_t i = before_wrap; i < count; ++i) f(slots_[i - before_wrap], state + 2);
  }

  /// The word as a count of items since the beginning.
  std::uint64_t position(std::uint64_t word) const noexcept {
    return (word >> turn_shift) * capacity_ + ((word & index_mask) >> 1);
  }

  using thread_mark = const void*;
  static thread_mark this_thread() noexcept {
    static thread_local const char mark = 0;
    return &mark;
  }
  static void note(std::atomic<thread_mark>& who) noexcept {
    if (who.load(std::memory_order_relaxed) != this_thread())
      who.store(this_thread(), std::memory_order_relaxed);
  }

  enum class look : std::uint8_t { ready, again, give_up };
  // A thread that runs answers within the spins, well under a microsecond. One that was woken on this very
  // processor, as the kernel likes to place it, answers only if it is given the processor: hence the yields,
  // as many as have been worth it lately. Threads that answer each other at once never come to yielding, but
  // they get there from sleeping and waking each other only by not going to sleep, so that is tried now and
  // then.
  static constexpr int spins = 64;
  static constexpr std::uint32_t most_yields = 32;
  static constexpr std::uint32_t attempts_between_long_ones = 32;

  // Two threads that take turns at one slot pass its cache line to and fro for each item. The one that is
  // ahead therefore lets the other get some slots ahead, if that has come of it lately; of threads that
  // answer each other item by item nothing does.
  static constexpr std::uint32_t waits_between_tries = 64;

  struct patience {
    std::atomic<std::uint32_t> yields{most_yields};
    std::atomic<std::uint32_t> attempts{0};
    std::atomic<std::uint32_t> pauses{0};
    std::atomic<std::uint32_t> waits{0};
  };

  template <class Look>
  static void linger(patience& mine, std::uint32_t most, Look ask) noexcept {
    const std::uint32_t usual = mine.pauses.load(std::memory_order_relaxed);
    const std::uint32_t wait = mine.waits.load(std::memory_order_relaxed);
    mine.waits.store(wait + 1, std::memory_order_relaxed);
    const std::uint32_t pauses = wait % waits_between_tries == 0 ? most : usual;
    if (pauses == 0) return;
    for (std::uint32_t i = 0; i < pauses; ++i) pause_processor();
    const bool worth_it = ask(2) == look::ready;
    mine.pauses.store(worth_it ? most : usual / 2, std::memory_order_relaxed);
  }

  template <class Look>
  bool spin(const std::atomic<thread_mark>& other, patience& mine, Look ask) const noexcept {
    const thread_mark who = other.load(std::memory_order_relaxed);
    if (who == nullptr || who == this_thread()) return false;
    for (int i = 0; i < spins; ++i) {
      const look answer = ask(0);
      if (answer == look::ready && i != 0)
        linger(mine, std::min<std::uint32_t>(16, static_cast<std::uint32_t>(capacity_ / 8)), ask);
      if (answer != look::again) return answer == look::ready;
      pause_processor();
    }
    const std::uint32_t attempt = mine.attempts.load(std::memory_order_relaxed);
    mine.attempts.store(attempt + 1, std::memory_order_relaxed);
    const std::uint32_t usual = mine.yields.load(std::memory_order_relaxed);
    const std::uint32_t yields = attempt % attempts_between_long_ones == 0 ? most_yields : usual;
    for (std::uint32_t i = 0; i < yields; ++i) {
      std::this_thread::yield();
      const look answer = ask(0);
      if (answer == look::again) continue;
      if (answer == look::ready)
        mine.yields.store(std::min(2 * usual + 1, most_yields), std::memory_order_relaxed);
      return answer == look::ready;
    }
    mine.yields.store(usual / 2, std::memory_order_relaxed);
    return false;
  }

  // A claim made before the freeze may still be moving its item; that move cannot throw and takes no lock.
  static void await_state(const slot& item, std::uint32_t wanted) noexcept {
    spin_until([&] { return item.state.load(std::memory_order_acquire) == wanted; });
  }

  // Each word shares its cache line with nothing that the other side touches.
  alignas(64) Atomic<std::uint64_t> tail_{0};
  alignas(64) Atomic<std::uint64_t> head_{0};
  alignas(64) patience place_patience_;
  alignas(64) patience item_patience_;
  // Seldom written, and read by the other side before it waits.
  alignas(64) std::atomic<thread_mark> pusher_{nullptr};
  std::atomic<thread_mark> popper_{nullptr};
  alignas(64) const std::size_t capacity_;
  const std::unique_ptr<slot[]> slots_;
  bool frozen_ = false;  // guarded by the owner's mutex
};

}  // namespace weft::detail
