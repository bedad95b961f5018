#pragma once

#include <weft/async/task.hpp>
#include <weft/market/tick.hpp>
#include <weft/market/tick_checker.hpp>
#include <weft/market/tick_inbox.hpp>
#include <weft/market/virtual_clock.hpp>

#include <coroutine>  // for std::coroutine_handle
#include <cstddef>    // for std::size_t
#include <cstdint>    // for std::uint64_t
#include <optional>   // for std::optional
#include <vector>     // for std::vector

namespace weft {

/// Ticks for the processes of a virtual_clock, whose time they make pass. So a strategy is one coroutine,
/// which does not know whether they were recorded, are simulated or come at this moment:
///
///     weft::process strategy(weft::virtual_clock& clock, weft::virtual_feed::reader ticks) {
///       while (const auto next = co_await ticks.next()) { ... co_await clock.after(2ms); ... }
///     }
///
///     clock.spawn(strategy(clock, weft::virtual_feed::reader(feed)));
///     for (const weft::tick& each : history.ticks) feed.deliver(each);   // or those of simulated_ticks()
///     co_await weft::follow(inbox, feed);                                // or live ones
///
/// Each tick is at its own time, after all that is due until then; what it sets off at that time has happened
/// before the next one. So the same ticks have the same consequences, however they came.
///
/// Thread safety: as virtual_clock.
class virtual_feed {
 public:
  class reader;

  /// @param clock whose time passes, which must outlive this; @param capacity how many ticks a reader may be
  /// behind before it misses the oldest; throws invalid_argument if it is 0
  explicit virtual_feed(virtual_clock& clock, std::size_t capacity = 1024);

  /// Lets time pass until the tick's, gives it to the readers and runs what is due then. One that
  /// tick_checker refuses, or whose time has passed, does not make time pass; the former is only counted.
  /// Throws what leaves a process.
  void deliver(const tick& next);

  /// There will be no more: the readers get the end, and what is due now runs.
  void end();

  /// What came, and what was wrong with it.
  const tick_checker& checker() const noexcept { return checker_; }

 private:
  friend task<void> follow(tick_inbox& inbox, virtual_feed& feed, double speed);
  class next_awaiter;

  virtual_clock& clock_;
  tick_checker checker_;
  std::vector<tick> kept_;  // tick n at n modulo its size
  std::uint64_t delivered_ = 0;
  bool ended_ = false;
  virtual_signal arrived_;
};

/// Reads the ticks that a virtual_feed delivers from now on.
///
/// Thread safety: distinct objects as virtual_clock; one process uses a reader.
class virtual_feed::reader {
 public:
  /// @param feed which must outlive it
  explicit reader(virtual_feed& feed) noexcept : feed_(&feed), next_(feed.delivered_) {}

  /// Awaited by a process: the oldest tick that it has not read; waits while there is none. Nothing once the
  /// feed has ended and all has been read.
  next_awaiter next() noexcept;

  /// How many ticks it has missed.
  std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  friend class next_awaiter;

  virtual_feed* feed_;
  std::uint64_t next_;
  std::uint64_t dropped_ = 0;
};

/// Awaits a tick.
class virtual_feed::next_awaiter {
 public:
  /// @param reading who gets it
  explicit next_awaiter(reader& reading) noexcept : reader_(reading) {}
  /// Whether it need not wait.
  bool await_ready() const noexcept {
    return reader_.next_ != reader_.feed_->delivered_ || reader_.feed_->ended_;
  }
  /// Waits.
  void await_suspend(std::coroutine_handle<> waiting) const {
    reader_.feed_->arrived_.wait().await_suspend(waiting);
  }
  /// The tick.
  std::optional<tick> await_resume() const noexcept;

 private:
  reader& reader_;
};

inline virtual_feed::next_awaiter virtual_feed::reader::next() noexcept {
  return next_awaiter(*this);
}

/// Delivers the ticks of an inbox as they come, and ends the feed once the inbox is closed and empty. While
/// none come, time passes as it does here, `speed` times as fast, so that who waits for a time need not wait
/// for a tick: 1 for a live feed, the replay's own speed, or 0 for time that passes with ticks only. Throws
/// invalid_argument if the speed is negative, and what leaves a process.
///
/// A tick that comes after who waited for a later time has gone on is delivered then: there a live feed is
/// not what its record will be.
///
/// Cancellation: the ticks that were taken have been delivered.
task<void> follow(tick_inbox& inbox, virtual_feed& feed, double speed = 1.0);

}  // namespace weft
