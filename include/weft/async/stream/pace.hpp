#pragma once

#include <weft/async/detail/stage_record.hpp>
#include <weft/async/detail/wait_for.hpp>
#include <weft/async/sleep.hpp>
#include <weft/async/stream/stage.hpp>
#include <weft/core/error.hpp>

#include <chrono>     // for std::chrono::steady_clock
#include <cstddef>    // for std::size_t
#include <cstdint>    // for std::uint64_t
#include <exception>  // for std::exception_ptr, std::current_exception
#include <mutex>      // for std::mutex
#include <optional>   // for std::optional
#include <utility>    // for std::move, std::exchange
#include <vector>     // for std::vector

namespace weft {

namespace detail {

template <class Upstream>
struct throttle_stream : stream_base {
  using value_type = typename Upstream::value_type;
  static constexpr bool background = Upstream::background;
  using clock = std::chrono::steady_clock;

  Upstream upstream;
  std::size_t count;
  clock::duration period;

  throttle_stream(Upstream before, std::size_t most, clock::duration time)
      : stream_base{"throttle"}, upstream(std::move(before)), count(most), period(time) {}

  class running {
   public:
    running(throttle_stream&& description, const opening& open)
        : upstream_(std::move(description.upstream), open),
          period_(description.period),
          count_(description.count),
          meter_(open.stage(description.name)) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void start(nursery& children) { upstream_.start(children); }

    task<std::optional<value_type>> next() {
      std::optional<value_type> item = co_await upstream_.next();
      if (!item) co_return item;
      meter_.item_in();
      clock::time_point now = clock::now();
      if (left_.size() < count_) {
        left_.push_back(now);
      } else {
        // The oldest of the last `count` items to leave.
        clock::time_point& oldest = left_[turn_];
        turn_ = (turn_ + 1) % count_;
        while (now < oldest + period_) {
          co_await sleep_for(oldest + period_ - now);
          now = clock::now();
        }
        oldest = now;
      }
      meter_.worked();
      meter_.item_out();
      co_return item;
    }

   private:
    typename Upstream::running upstream_;
    clock::duration period_;
    std::size_t count_;
    std::vector<clock::time_point> left_;
    std::size_t turn_ = 0;
    stage_meter meter_;
  };
};

struct throttle_adaptor : adaptor_base {
  std::size_t count = 1;
  std::chrono::steady_clock::duration period{};

  template <stream S>
  auto attach(S upstream) && {
    return throttle_stream<S>(std::move(upstream), count, period);
  }
};

/// The items of the batch that is being collected: one producer, one consumer and an alarm.
template <class T>
class timed_batch {
 public:
  using clock = std::chrono::steady_clock;

  timed_batch(std::size_t size, clock::duration delay) : size_(size), delay_(delay) {}

  // ---- the producer ---------------------------------------------------------------------------------------

  bool has_room() {
    const std::lock_guard lock(mutex_);
    return items_.size() < size_;
  }
  task<void> room() {
    auto ready = [this] { return items_.size() < size_; };
    co_await wait_for(mutex_, waiting_producer_, ready);
  }
  void put(T&& item) {
    const clock::time_point now = clock::now();
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
    if (items_.size() == 1) {
      due_ = now + delay_;
      wake_all(waiting_alarm_, woken);
    }
    if (items_.size() == size_) wake_all(waiting_consumer_, woken);
  }
  void finish(std::exception_ptr error = nullptr) {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    ended_ = true;
    error_ = std::move(error);
    wake_all(waiting_consumer_, woken);
  }

  // ---- the alarm ------------------------------------------------------------------------------------------

  /// Waits until there is an unfinished batch, and for its time.
  task<void> watch() {
    for (;;) {
      auto ready = [this] { return has_begun(); };
      co_await wait_for(mutex_, waiting_alarm_, ready);
      const clock::duration left = time_left();
      if (left > clock::duration::zero()) co_await sleep_for(left);
      expire();
    }
  }

  // ---- the consumer ---------------------------------------------------------------------------------------

  bool decided() {
    const std::lock_guard lock(mutex_);
    return decided_locked();
  }
  task<void> arrival() {
    auto ready = [this] { return decided_locked(); };
    co_await wait_for(mutex_, waiting_consumer_, ready);
  }
  /// The batch, or none at the end, once decided().
  std::optional<std::vector<T>> take() {
    std::optional<std::vector<T>> batch;
    std::vector<T> next;
    next.reserve(size_);
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (items_.empty()) {
      if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
      return batch;
    }
    batch.emplace(std::exchange(items_, std::move(next)));
    expired_ = false;
    wake_all(waiting_producer_, woken);
    return batch;
  }

 private:
  bool decided_locked() const noexcept {
    return items_.size() == size_ || ended_ || (expired_ && !items_.empty());
  }
  bool has_begun() const noexcept { return !items_.empty() && !expired_; }

  clock::duration time_left() {
    const std::lock_guard lock(mutex_);
    return due_ - clock::now();
  }

  // The alarm may have slept for a batch that was full before its time; then the next one's time is later.
  void expire() {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (items_.empty() || clock::now() < due_) return;
    expired_ = true;
    wake_all(waiting_consumer_, woken);
  }

  std::mutex mutex_;
  const std::size_t size_;
  const clock::duration delay_;
  std::vector<T> items_;
  clock::time_point due_;
  bool expired_ = false;
  bool ended_ = false;
  std::exception_ptr error_;
  wait_list waiting_producer_;
  wait_list waiting_alarm_;
  wait_list waiting_consumer_;
};

template <class Upstream>
struct batch_within_stream : stream_base {
  using item_type = typename Upstream::value_type;
  using value_type = std::vector<item_type>;
  static constexpr bool background = true;
  using duration = std::chrono::steady_clock::duration;

  Upstream upstream;
  std::size_t size;
  duration delay;

  batch_within_stream(Upstream before, std::size_t count, duration time)
      : stream_base{"batch_within"}, upstream(std::move(before)), size(count), delay(time) {}

  class running {
   public:
    running(batch_within_stream&& description, const opening& open)
        : running(std::move(description), open, open.new_lane()) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void start(nursery& children) {
      upstream_.start(children);
      children.spawn([this] { return batch_.watch(); });
      children.spawn([this] { return feed(); });
    }

    task<std::optional<value_type>> next() {
      while (!batch_.decided()) {
        meter_.home().lap();
        co_await batch_.arrival();
        const std::uint64_t waited = meter_.home().lap();
        meter_.home().waited_for_input.add(waited);
        meter_.record().starved.add(waited);
      }
      std::optional<value_type> batch = batch_.take();
      if (batch) meter_.item_out();
      co_return batch;
    }

   private:
    running(batch_within_stream&& description, const opening& open, const opening& behind)
        : feeder_lane_(&behind.home()),
          upstream_(std::move(description.upstream), behind),
          meter_(open.stage(description.name)),
          batch_(description.size, description.delay) {
      meter_.record().between_lanes = true;
    }

    task<void> feed() {
      feeder_lane_->restart();
      breather pause;
      try {
        for (;;) {
          while (!batch_.has_room()) {
            co_await batch_.room();
            const std::uint64_t waited = feeder_lane_->lap();
            feeder_lane_->waited_for_room.add(waited);
            meter_.record().blocked.add(waited);
          }
          std::optional<item_type> item = co_await upstream_.next();
          if (!item) break;
          meter_.item_in();
          batch_.put(std::move(*item));
          if (pause.due(*feeder_lane_)) co_await pause.breathe(*feeder_lane_);
        }
        batch_.finish();
      } catch (...) {
        batch_.finish(std::current_exception());
      }
    }

    lane* feeder_lane_;
    typename Upstream::running upstream_;
    stage_meter meter_;
    timed_batch<item_type> batch_;
  };
};

struct batch_within_adaptor : adaptor_base {
  std::size_t size = 1;
  std::chrono::steady_clock::duration delay{};

  template <stream S>
  auto attach(S upstream) && {
    return batch_within_stream<S>(std::move(upstream), size, delay);
  }
};

}  // namespace detail

/// Lets at most `count` items through in any stretch of time of length `period`; those beyond wait. Throws
/// invalid_argument if count is 0 or the period is negative.
template <class Rep, class Period>
auto throttle(std::size_t count, std::chrono::duration<Rep, Period> period) {
  if (count == 0) throw invalid_argument("throttle: the count is 0, it must be at least 1");
  if (period.count() < 0) throw invalid_argument("throttle: the period is negative");
  detail::throttle_adaptor result;
  result.count = count;
  result.period = std::chrono::duration_cast<std::chrono::steady_clock::duration>(period);
  return result;
}

/// Collects items into vectors of `size`, but gives out what there is once the first item of a batch is
/// `delay` old: many items at once under load, little waiting without. Never gives out an empty batch.
///
/// What is before it runs in the background; holds at most `size` items. Throws invalid_argument if size is 0
/// or the delay is negative.
template <class Rep, class Period>
auto batch_within(std::size_t size, std::chrono::duration<Rep, Period> delay) {
  if (size == 0) throw invalid_argument("batch_within: the size is 0, it must be at least 1");
  if (delay.count() < 0) throw invalid_argument("batch_within: the delay is negative");
  detail::batch_within_adaptor result;
  result.size = size;
  result.delay = std::chrono::duration_cast<std::chrono::steady_clock::duration>(delay);
  return result;
}

}  // namespace weft
