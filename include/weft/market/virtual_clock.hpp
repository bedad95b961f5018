#pragma once

#include <weft/core/error.hpp>

#include <algorithm>  // for std::max, std::min
#include <chrono>     // for std::chrono::nanoseconds
#include <coroutine>  // for std::coroutine_handle, std::suspend_always
#include <cstddef>    // for std::size_t
#include <cstdint>    // for std::uint64_t
#include <exception>  // for std::exception_ptr
#include <optional>   // for std::optional
#include <string>     // for std::to_string
#include <utility>    // for std::exchange, std::move, std::swap
#include <vector>     // for std::vector

namespace weft {

class virtual_clock;
class virtual_signal;

namespace detail {

class process_promise;
using process_handle = std::coroutine_handle<process_promise>;

/// Awaits a process inside another.
class process_awaiter {
 public:
  explicit process_awaiter(process_handle awaited) noexcept : awaited_(awaited) {}
  bool await_ready() const noexcept { return !awaited_; }
  inline void await_suspend(process_handle awaiting) const noexcept;
  inline void await_resume() const;

 private:
  process_handle awaited_;
};

/// Awaits a time.
class time_awaiter {
 public:
  time_awaiter(virtual_clock& clock, std::chrono::nanoseconds time) noexcept : clock_(clock), time_(time) {}
  bool await_ready() const noexcept { return false; }
  inline void await_suspend(std::coroutine_handle<> waiting) const;
  void await_resume() const noexcept {}

 private:
  virtual_clock& clock_;
  std::chrono::nanoseconds time_;
};

/// Awaits a signal.
class signal_awaiter {
 public:
  explicit signal_awaiter(std::vector<std::coroutine_handle<>>& waiting) noexcept : waiting_(waiting) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) const { waiting_.push_back(waiting); }
  void await_resume() const noexcept {}

 private:
  std::vector<std::coroutine_handle<>>& waiting_;
};

}  // namespace detail

/// A coroutine that lives in simulated time. It begins when it is given to virtual_clock::spawn(), or is
/// awaited by another process, which then goes on when it has ended and gets its exception.
///
/// It may await virtual_clock::until() and after(), virtual_signal::wait() and other processes.
///
/// Thread safety: distinct objects safe; a process belongs to one clock's thread.
class [[nodiscard]] process {
 public:
  /// What the compiler asks for.
  using promise_type = detail::process_promise;

  /// The other one becomes empty.
  process(process&& other) noexcept : coroutine_(std::exchange(other.coroutine_, {})) {}
  /// They change places.
  process& operator=(process&& other) noexcept {
    std::swap(coroutine_, other.coroutine_);
    return *this;
  }
  ~process() {
    if (coroutine_) coroutine_.destroy();
  }

  /// Runs it as a part of the awaiting process.
  detail::process_awaiter operator co_await() && noexcept { return detail::process_awaiter(coroutine_); }

 private:
  friend class detail::process_promise;
  friend class virtual_clock;
  explicit process(detail::process_handle coroutine) noexcept : coroutine_(coroutine) {}

  detail::process_handle coroutine_;
};

/// Simulated time, and the processes that live in it. Nothing waits for real: the clock jumps from one time
/// that somebody waits for to the next. Who waits for the same time goes on in the order in which they came,
/// so that a run is the same every time; draw random numbers from weft::philox.
///
/// An event takes no memory but its place in the queue, and no lock.
///
/// The destructor destroys the processes that have not ended, the latest first.
///
/// Thread safety: distinct objects safe; a clock and its processes belong to one thread at a time.
/// Cancellation: a process that is destroyed does not go on; its local objects are destroyed.
class virtual_clock {
 public:
  /// Times and durations.
  using duration = std::chrono::nanoseconds;

  /// @param start the time at first
  explicit virtual_clock(duration start = duration(0)) noexcept : now_(start) {}
  virtual_clock(const virtual_clock&) = delete;
  virtual_clock& operator=(const virtual_clock&) = delete;
  inline ~virtual_clock();

  /// The time now.
  duration now() const noexcept { return now_; }
  /// When the next event is, if there is one; not for a process to ask.
  std::optional<duration> next_event() const noexcept {
    return events_.empty() ? std::nullopt : std::optional(events_.front().time);
  }

  /// Begins a process at the present time, after those that are due now.
  inline void spawn(process started);

  /// Awaited: goes on at that time; a time that has passed is now, after those that are due now.
  detail::time_awaiter until(duration time) noexcept { return {*this, std::max(time, now_)}; }
  /// Awaited: goes on after a duration; throws invalid_argument if it is negative.
  detail::time_awaiter after(duration wait) {
    if (wait.count() < 0) {
      throw invalid_argument("virtual_clock: the time to wait is " + std::to_string(wait.count()) +
                             " ns, it must be at least 0");
    }
    return {*this, now_ + wait};
  }

  /// Runs until nobody waits for a time, and returns how many events there were. An exception that leaves a
  /// process leaves run(); called again, it goes on with the others.
  std::uint64_t run() { return run_until(duration::max()); }
  /// The same for events up to that time, which is then the time now.
  inline std::uint64_t run_until(duration time);

  /// How many processes have not ended; after run() they wait for a signal.
  std::size_t processes() const noexcept { return living_; }

 private:
  friend class detail::process_awaiter;
  friend class detail::process_promise;
  friend class detail::time_awaiter;
  friend class virtual_signal;

  struct event {
    duration time;
    std::uint64_t number;  // ties are served in order
    std::coroutine_handle<> waiting;

    bool before(const event& other) const noexcept {
      return time != other.time ? time < other.time : number < other.number;
    }
  };

  // A heap with four children a node. While an event runs the root is a hole, which the first event that it
  // schedules fills: most processes wait again.
  void schedule(duration time, std::coroutine_handle<> waiting) {
    const event added{time, next_number_++, waiting};
    if (hole_) {
      hole_ = false;
      sink(added);
      return;
    }
    events_.push_back(added);
    std::size_t at = events_.size() - 1;
    while (at > 0) {
      const std::size_t parent = (at - 1) / 4;
      if (!added.before(events_[parent])) break;
      events_[at] = events_[parent];
      at = parent;
    }
    events_[at] = added;
  }

  void sink(const event& moved) noexcept {
    const std::size_t size = events_.size();
    std::size_t at = 0;
    for (;;) {
      const std::size_t first = 4 * at + 1;
      if (first >= size) break;
      std::size_t least = first;
      const std::size_t last = std::min(first + 4, size);
      for (std::size_t child = first + 1; child < last; ++child) {
        if (events_[child].before(events_[least])) least = child;
      }
      if (!events_[least].before(moved)) break;
      events_[at] = events_[least];
      at = least;
    }
    events_[at] = moved;
  }

  void fill_hole() noexcept {
    if (!hole_) return;
    hole_ = false;
    const event last = events_.back();
    events_.pop_back();
    if (!events_.empty()) sink(last);
  }

  std::vector<event> events_;
  std::uint64_t next_number_ = 0;
  duration now_;
  bool hole_ = false;
  std::coroutine_handle<>
      next_;  // to be resumed before the next event: a process awaited or one that awaited
  detail::process_promise* first_ = nullptr;  // the spawned ones
  std::size_t living_ = 0;
  std::exception_ptr error_;
};

namespace detail {

/// What happens to a process.
class process_promise {
 public:
  process get_return_object() noexcept { return process(process_handle::from_promise(*this)); }
  std::suspend_always initial_suspend() const noexcept { return {}; }
  void return_void() const noexcept {}
  void unhandled_exception() noexcept { error_ = std::current_exception(); }

  struct ending {
    bool await_ready() const noexcept { return false; }
    void await_suspend(process_handle ended) const noexcept { ended.promise().end(); }
    void await_resume() const noexcept {}
  };
  ending final_suspend() const noexcept { return {}; }

 private:
  friend class process_awaiter;
  friend class weft::virtual_clock;

  // The last thing that happens here: a spawned process destroys itself.
  inline void end() noexcept;

  virtual_clock* clock_ = nullptr;
  std::coroutine_handle<> awaiting_;  // null: it was spawned
  std::exception_ptr error_;
  process_promise* previous_ = nullptr;  // among the spawned
  process_promise* next_ = nullptr;
};

}  // namespace detail

/// Wakes processes that wait for something to happen.
///
/// Thread safety: as virtual_clock. A signal must not be notified after the clock is gone.
class virtual_signal {
 public:
  /// @param clock whose processes wait
  explicit virtual_signal(virtual_clock& clock) noexcept : clock_(clock) {}

  /// Awaited: goes on after the next notify_all().
  detail::signal_awaiter wait() noexcept { return detail::signal_awaiter(waiting_); }
  /// Those who wait go on at the present time, in the order in which they came, after those that are due now.
  void notify_all() {
    for (const auto waiting : waiting_) clock_.schedule(clock_.now_, waiting);
    waiting_.clear();
  }

 private:
  virtual_clock& clock_;
  std::vector<std::coroutine_handle<>> waiting_;
};

inline void detail::process_awaiter::await_suspend(process_handle awaiting) const noexcept {
  virtual_clock* const clock = awaiting.promise().clock_;
  awaited_.promise().clock_ = clock;
  awaited_.promise().awaiting_ = awaiting;
  clock->next_ = awaited_;
}

inline void detail::process_awaiter::await_resume() const {
  if (awaited_ && awaited_.promise().error_) std::rethrow_exception(awaited_.promise().error_);
}

inline void detail::time_awaiter::await_suspend(std::coroutine_handle<> waiting) const {
  clock_.schedule(time_, waiting);
}

inline void detail::process_promise::end() noexcept {
  virtual_clock& clock = *clock_;
  if (awaiting_) {
    clock.next_ = awaiting_;
    return;
  }
  if (error_) clock.error_ = std::move(error_);
  (previous_ == nullptr ? clock.first_ : previous_->next_) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  --clock.living_;
  process_handle::from_promise(*this).destroy();
}

inline void virtual_clock::spawn(process started) {
  if (!started.coroutine_) return;
  schedule(now_, started.coroutine_);
  auto& promise = std::exchange(started.coroutine_, {}).promise();
  promise.clock_ = this;
  promise.next_ = first_;
  if (first_ != nullptr) first_->previous_ = &promise;
  first_ = &promise;
  ++living_;
}

inline std::uint64_t virtual_clock::run_until(duration time) {
  std::uint64_t count = 0;
  while (!events_.empty() && events_.front().time <= time) {
    const event due = events_.front();
    now_ = due.time;
    ++count;
    hole_ = true;
    due.waiting.resume();
    while (next_) std::exchange(next_, {}).resume();
    fill_hole();
    if (error_) std::rethrow_exception(std::exchange(error_, {}));
  }
  if (time != duration::max()) now_ = std::max(now_, time);
  return count;
}

inline virtual_clock::~virtual_clock() {
  while (first_ != nullptr) {
    detail::process_promise* const ended = first_;
    first_ = ended->next_;
    detail::process_handle::from_promise(*ended).destroy();
  }
}

}  // namespace weft
