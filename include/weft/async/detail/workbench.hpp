#pragma once

#include <weft/async/detail/stage_record.hpp>
#include <weft/async/detail/ticks.hpp>
#include <weft/async/detail/wait_for.hpp>
#include <weft/async/detail/waiter.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>

#include <algorithm>  // for std::min, std::max
#include <chrono>     // for std::chrono::nanoseconds
#include <cstddef>    // for std::size_t
#include <cstdint>    // for std::uint32_t, std::uint64_t
#include <exception>  // for std::exception_ptr
#include <mutex>      // for std::mutex
#include <optional>   // for std::optional
#include <utility>    // for std::move
#include <vector>     // for std::vector

namespace weft::detail {

/// A first-in first-out list of at most `capacity` indices.
class index_ring {
 public:
  explicit index_ring(std::size_t capacity) : places_(capacity) {}

  bool empty() const noexcept { return count_ == 0; }
  std::size_t size() const noexcept { return count_; }
  std::uint32_t operator[](std::size_t i) const noexcept { return places_[(first_ + i) % places_.size()]; }
  void push(std::uint32_t index) noexcept { places_[(first_ + count_++) % places_.size()] = index; }
  std::uint32_t pop() noexcept {
    const std::uint32_t index = places_[first_];
    first_ = (first_ + 1) % places_.size();
    --count_;
    return index;
  }
  void clear() noexcept { count_ = 0; }

 private:
  std::vector<std::uint32_t> places_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

/// The items inside a concurrent map: put down by one feeder, worked on by workers, taken away by one
/// consumer, in the order in which they came or in which they are done.
///
/// Every item lies in one of `capacity` slots from when it is put down until its result is taken, so memory
/// is bounded, and results that wait for an earlier one are counted too. A worker may be a coroutine or a
/// pool's thread; the latter reports each item as it is done, but with items of a few microseconds the
/// consumer is woken only for several at once, since one wake-up of an event loop costs about as much as such
/// an item. How many, and how far the feeder reads ahead, follow from the measured time per item; patience()
/// limits how long a result can wait for company.
///
/// Thread safety: one feeder, one consumer, any number of workers.
template <class T, class R>
class workbench {
 public:
  /// @param in_order whether results leave in the order of the items
  /// @param adaptive whether to read ahead by measured times, or as far as possible
  /// @param linger for as many results as should be done in this time the consumer waits at once, at most
  ///        twice as long
  workbench(std::size_t capacity, std::size_t workers, bool in_order, bool adaptive,
            std::chrono::nanoseconds linger, stage_record& record)
      : slots_(capacity),
        pending_(capacity),
        line_(capacity),
        free_(capacity),
        workers_(workers),
        in_order_(in_order),
        adaptive_(adaptive),
        linger_(static_cast<std::uint64_t>(linger.count())),
        limit_(adaptive ? std::min(capacity, 2 * workers) : capacity),
        record_(record) {
    for (std::size_t i = 0; i < capacity; ++i) free_.push(static_cast<std::uint32_t>(i));
  }

  // ---- the feeder -----------------------------------------------------------------------------------------

  enum class place : std::uint8_t { free, full, refused };

  /// Whether an item may be put down; refused once nothing more is wanted.
  place look() {
    const std::lock_guard lock(mutex_);
    if (stopped_) return place::refused;
    return used() < limit_ ? place::free : place::full;
  }

  /// Waits until look() may say something else than full.
  task<void> room() {
    auto ready = [this] { return stopped_ || used() < limit_; };
    co_await wait_for(mutex_, waiting_feeder_, ready);
  }

  struct put_down {
    bool start_worker;  ///< one more worker should be started
    place next;         ///< whether another item may be put down
  };

  /// Puts down an item, for which there is room.
  put_down put(T&& item) {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (stopped_) return {false, place::refused};
    const std::uint32_t index = free_.pop();
    slots_[index].input.emplace(std::move(item));
    record_.items_in.add(1);
    if (running_ == 0 && pending_.empty()) end_pause();
    pending_.push(index);
    if (in_order_) line_.push(index);
    const place next = used() < limit_ ? place::free : place::full;
    if (!waiting_workers_.empty()) {
      waiter& worker = *waiting_workers_.front();
      waiting_workers_.remove(worker);
      woken.add(worker, wake_reason::ready);
      return {false, next};
    }
    if (started_ == workers_) return {false, next};
    ++started_;
    return {true, next};
  }

  /// There will be no more items; if there is an error, it comes out after the results.
  void finish(std::exception_ptr error = nullptr) {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    finished_ = true;
    error_ = std::move(error);
    wake_all(waiting_workers_, woken);
    if (idle()) wake_all(waiting_consumer_, woken);
  }

  // ---- a worker -------------------------------------------------------------------------------------------

  /// Whether there is something to do now, or will never be.
  enum class call : std::uint8_t { work, wait, leave };
  call look_for_work() {
    const std::lock_guard lock(mutex_);
    return called();
  }

  /// Waits until look_for_work() may say something else than wait.
  task<void> work() {
    auto ready = [this] { return called() != call::wait; };
    co_await wait_for(mutex_, waiting_workers_, ready);
  }

  /// Takes the next item, if there is one.
  std::optional<std::uint32_t> claim() {
    const std::lock_guard lock(mutex_);
    return claim_locked();
  }

  // A claimed slot belongs to its worker until it is completed.
  T&& input(std::uint32_t index) noexcept { return std::move(*slots_[index].input); }
  void set_result(std::uint32_t index, R&& result) { slots_[index].output.emplace(std::move(result)); }

  struct completed {
    bool woke_consumer;
    std::optional<std::uint32_t> next;  ///< claimed in its turn, if that was asked for
  };

  /// The claimed item's result has been set.
  completed complete(std::uint32_t index, std::uint64_t ticks_taken, bool go_on) {
    slots_[index].input.reset();
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    const bool woke = end_of_item(index, ticks_taken, woken);
    return {woke, go_on ? claim_locked() : std::nullopt};
  }

  /// The item failed: what is not yet begun is dropped, and the consumer gets the error in the item's place.
  void fail(std::uint32_t index, std::exception_ptr error, std::uint64_t ticks_taken) {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    slots_[index].failure = std::move(error);
    refuse_more(woken);
    end_of_item(index, ticks_taken, woken);
    wake_all(waiting_consumer_, woken);
  }

  /// Drops what is not yet begun and refuses more, because nobody will take it.
  void stop() {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    refuse_more(woken);
  }

  /// For the adaptive bench: a worker's measure of the time per item, in nanoseconds.
  void measured(std::uint64_t nanoseconds_per_item) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t latest = std::max<std::uint64_t>(nanoseconds_per_item, 1);
    item_time_ = item_time_ == 0 ? latest : (3 * item_time_ + latest) / 4;
    limit_ = std::min(slots_.size(), 2 * workers_ + 2 * done_in_linger(workers_));
  }

  // ---- the consumer ---------------------------------------------------------------------------------------

  /// Waits until take() may say something.
  task<void> arrival() {
    if (linger_ != 0) choose_company();
    auto ready = [this] { return decided_locked(); };
    co_await wait_for(mutex_, waiting_consumer_, ready);
  }

  /// True with the next result, or with none at the end; false if it is not known yet. Throws an item's or
  /// upstream's error in its place.
  bool take(std::optional<R>& result) {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (!decided_locked()) return false;
    if (done_in_line_ == 0) {
      if (error_) std::rethrow_exception(error_);
      if (stopped_) throw cancelled();
      return true;
    }
    const std::uint32_t index = line_.pop();
    --done_in_line_;
    slot& from = slots_[index];
    from.done = false;
    if (from.failure) std::rethrow_exception(from.failure);
    result.emplace(std::move(*from.output));
    from.output.reset();
    free_.push(index);
    record_.items_out.add(1);
    if (!waiting_feeder_.empty() && used() <= low_mark()) wake_all(waiting_feeder_, woken);
    return true;
  }

  // ---- the alarm ------------------------------------------------------------------------------------------

  /// Waits until the consumer waits for several results at once.
  task<void> armed() {
    auto ready = [this] { return armed_; };
    co_await wait_for(mutex_, waiting_alarm_, ready);
  }

  /// How much longer the consumer may wait for several results. Nothing if it has them, or has waited long
  /// enough: then it is content with one, and the alarm is no longer armed.
  std::chrono::nanoseconds patience() {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (wanted_ > 1) {
      const std::chrono::nanoseconds left = patient_until_ - std::chrono::steady_clock::now();
      if (left.count() > 0) return left;
      wanted_ = 1;
      if (done_in_line_ != 0) wake_all(waiting_consumer_, woken);
    }
    armed_ = false;
    return std::chrono::nanoseconds(0);
  }

 private:
  struct slot {
    std::optional<T> input;
    std::optional<R> output;
    std::exception_ptr failure;
    bool done = false;
  };

  std::size_t used() const noexcept { return slots_.size() - free_.size(); }

  // A waiting feeder is woken when this few slots are used: half of them, so that it refills many at once,
  // but not so few that workers run dry.
  std::size_t low_mark() const noexcept {
    const std::size_t reserve = std::max(limit_ / 2, std::min(limit_ - 1, 2 * workers_));
    return std::min(reserve, limit_ - 1);
  }

  call called() const noexcept {
    if (!pending_.empty()) return call::work;
    return finished_ || stopped_ ? call::leave : call::wait;
  }

  std::optional<std::uint32_t> claim_locked() {
    if (pending_.empty()) return std::nullopt;
    ++running_;
    return pending_.pop();
  }

  bool idle() const noexcept { return running_ == 0 && pending_.empty(); }
  bool decided_locked() const noexcept {
    return done_in_line_ != 0 || (finished_ && idle()) || (stopped_ && idle());
  }

  bool end_of_item(std::uint32_t index, std::uint64_t ticks_taken, wake_chain& woken) {
    record_.busy.add(ticks_taken);
    slots_[index].done = true;
    --running_;
    if (in_order_) {
      while (done_in_line_ < line_.size() && slots_[line_[done_in_line_]].done) ++done_in_line_;
    } else {
      line_.push(index);
      ++done_in_line_;
    }
    if (idle()) begin_pause();
    if (waiting_consumer_.empty() || (done_in_line_ < wanted_ && !idle())) return false;
    wanted_ = 1;
    wake_all(waiting_consumer_, woken);
    return true;
  }

  void refuse_more(wake_chain& woken) {
    stopped_ = true;
    pending_.clear();
    wake_all(waiting_workers_, woken);
    wake_all(waiting_feeder_, woken);
  }

  // How many items so many workers get done while a result may linger; none while that is not known.
  std::size_t done_in_linger(std::size_t workers) const noexcept {
    return item_time_ == 0 ? 0 : static_cast<std::size_t>(workers * linger_ / item_time_);
  }

  // How many results are worth a wake-up of the consumer. If more than one, the alarm has to know.
  void choose_company() {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    const std::size_t coming = running_ + pending_.size();
    const std::size_t soon = done_in_linger(std::min(workers_, coming));
    wanted_ = std::max<std::size_t>(1, std::min(soon, coming / 2));
    if (wanted_ == 1) return;
    // Twice the time in which they should come: most waits end before it, and the alarm, which costs a
    // wake-up too, seldom has to look.
    patient_until_ = std::chrono::steady_clock::now() + 2 * std::chrono::nanoseconds(linger_);
    if (armed_) return;
    armed_ = true;
    wake_all(waiting_alarm_, woken);
  }

  // Between items nothing is worked on: because all slots hold results that nobody takes, or for want of
  // items.
  void begin_pause() noexcept {
    pause_is_blocked_ = used() >= limit_;
    pause_begin_ = ticks();
  }
  void end_pause() noexcept {
    if (pause_begin_ == 0) return;
    const std::uint64_t now = ticks();
    if (now > pause_begin_) (pause_is_blocked_ ? record_.blocked : record_.starved).add(now - pause_begin_);
    pause_begin_ = 0;
  }

  std::mutex mutex_;
  std::vector<slot> slots_;
  index_ring pending_;  // put down and not claimed
  index_ring line_;  // in the order in which results leave: all items if in order, else those that are done
  index_ring free_;
  std::size_t done_in_line_ = 0;  // how many at the front of line_ are done
  std::size_t running_ = 0;
  std::size_t started_ = 0;
  const std::size_t workers_;
  const bool in_order_;
  const bool adaptive_;
  const std::uint64_t linger_;  // nanoseconds
  bool finished_ = false;
  bool stopped_ = false;
  bool armed_ = false;
  std::size_t limit_;       // how many slots to use
  std::size_t wanted_ = 1;  // results; more than one only while the consumer waits, or is about to
  std::chrono::steady_clock::time_point patient_until_;
  std::uint64_t item_time_ = 0;
  std::uint64_t pause_begin_ = ticks();
  bool pause_is_blocked_ = false;
  std::exception_ptr error_;
  stage_record& record_;
  wait_list waiting_feeder_;
  wait_list waiting_workers_;
  wait_list waiting_consumer_;
  wait_list waiting_alarm_;
};

}  // namespace weft::detail
