#pragma once

#include <weft/async/queue.hpp>
#include <weft/async/task.hpp>
#include <weft/market/tick.hpp>

#include <atomic>         // for std::atomic
#include <cstddef>        // for std::size_t
#include <cstdint>        // for std::uint8_t, std::uint32_t, std::uint64_t
#include <mutex>          // for std::mutex
#include <unordered_map>  // for std::unordered_map
#include <vector>         // for std::vector

namespace weft {

/// What happens to ticks that come faster than they are taken.
enum class overrun_policy : std::uint8_t {
  block,              ///< who pushes waits
  drop_oldest,        ///< the oldest one makes room
  latest_of_a_symbol  ///< a new one takes the place of its symbol's
};

/// How a tick_inbox is set up.
struct tick_inbox_options {
  /// How many ticks it holds, at least 1; by latest_of_a_symbol, of so many symbols.
  std::size_t capacity = 4096;
  /// What happens when it is full.
  overrun_policy policy = overrun_policy::latest_of_a_symbol;
};

/// Ticks between feeds and who uses them, bounded. Symbols come out in the order in which they came in.
///
/// An inbox that is destroyed must have no waiters.
///
/// Thread safety: distinct objects safe; shared objects safe.
/// Cancellation: a cancelled push() has put nothing in, a cancelled pop_some() has taken nothing out.
class tick_inbox {
 public:
  /// Throws invalid_argument if the capacity is 0.
  explicit tick_inbox(tick_inbox_options options = {});

  /// Puts a tick in; waits while the inbox is full only by overrun_policy::block. Throws queue_closed once it
  /// is closed.
  task<void> push(tick next);

  /// Takes the oldest ticks, 1 to `count` of them; waits while there are none. None once the inbox is closed
  /// and empty.
  task<std::vector<received_tick>> pop_some(std::size_t count);

  /// Refuses new ticks and lets those that are there out.
  void close();

  /// Ticks that made room for others, which nobody will see.
  std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }
  /// Ticks that a newer one of their symbol has taken the place of.
  std::uint64_t replaced() const noexcept { return replaced_.load(std::memory_order_relaxed); }
  /// How many ticks wait.
  std::size_t size() const noexcept;

 private:
  void push_latest(const received_tick& arrived);

  overrun_policy policy_;
  queue<received_tick> ticks_;    // in order, by the first two policies
  queue<std::uint32_t> symbols_;  // by the third: those that have a tick in latest_
  std::mutex mutex_;
  std::unordered_map<std::uint32_t, received_tick> latest_;
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<std::uint64_t> replaced_{0};
};

}  // namespace weft
