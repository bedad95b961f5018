#pragma once

#include <weft/async/detail/nursery.hpp>
#include <weft/async/detail/ticks.hpp>
#include <weft/async/stream/error.hpp>
#include <weft/async/stream/stats.hpp>
#include <weft/observe/trace.hpp>

#include <atomic>     // for std::atomic
#include <cstddef>    // for std::size_t
#include <cstdint>    // for std::uint64_t
#include <deque>      // for std::deque
#include <exception>  // for std::current_exception
#include <mutex>      // for std::mutex
#include <optional>   // for std::optional
#include <string>     // for std::string
#include <utility>    // for std::move

namespace weft::detail {

/// A sum that one coroutine at a time adds to and anyone reads.
class tally {
 public:
  void add(std::uint64_t amount) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  /// For several coroutines at the same time.
  void add_shared(std::uint64_t amount) noexcept { value_.fetch_add(amount, std::memory_order_relaxed); }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// One line of control: a coroutine that pulls through several stages. Time in it is charged to whoever it
/// was spent on, with one clock reading per change: the stages of a lane take turns, so what passed since the
/// last charge belongs to the one that charges next.
class lane {
 public:
  void restart() noexcept {
    last_ = ticks();
    traced_ = 0;
  }

  /// @param name what the time was spent on, for the trace
  void charge(tally& account, trace_name name) noexcept {
    account.add(advance());
    if (trace::enabled()) [[unlikely]] {
      // On a row of the stage's own: what a coroutine does may go on after a wait, on another thread.
      if (traced_ != 0) record_span(trace_kind::async_span, name.c_str(), traced_, nullptr, 0);
      traced_ = trace_ticks();
    }
  }

  /// The time since the last charge, which is thereby accounted for.
  std::uint64_t lap() noexcept {
    if (trace::enabled()) [[unlikely]] {
      traced_ = trace_ticks();
    }
    return advance();
  }

  std::uint64_t last() const noexcept { return last_; }

  tally waited_for_input;  // at the upstream end: what feeds the lane was not ready
  tally waited_for_room;   // at the downstream end: where the lane's items go was full

 private:
  std::uint64_t advance() noexcept {
    const std::uint64_t now = ticks();
    // Counters of different cores may differ by a few ticks.
    const std::uint64_t passed = now > last_ ? now - last_ : 0;
    last_ = now;
    return passed;
  }

  std::uint64_t last_ = ticks();
  std::uint64_t traced_ = 0;  // when the last charge was traced
};

/// What one stage has done.
struct stage_record {
  stage_record(std::string stage, int width, const lane& where)
      : name(std::move(stage)),
        in_trace(trace::intern(name)),
        waits_for_input(trace::intern(name + " waits for input")),
        waits_for_room(trace::intern(name + " waits for room")),
        concurrency(width),
        home(&where) {}

  std::string name;
  trace_name in_trace;
  trace_name waits_for_input;
  trace_name waits_for_room;
  int concurrency;
  const lane* home;
  tally items_in;
  tally items_out;
  tally busy;
  // Of stages that stand between two lanes; the others' are those of their lane and their neighbours.
  bool between_lanes = false;
  tally starved;
  tally blocked;
};

/// The records of a pipeline's stages, source first. Shared by the running pipeline and whoever reads its
/// statistics.
class recorder {
 public:
  explicit recorder(std::string sink) : sink_name_(std::move(sink)) {}

  /// Which stage and lane come next. A part of a pipeline that is opened again with the position that it was
  /// opened with before goes on with the same records.
  struct position {
    std::size_t stage = 0;
    std::size_t lane = 0;
  };

  lane& next_lane(position& next) {
    const std::lock_guard lock(mutex_);
    if (next.lane == lanes_.size()) lanes_.emplace_back();
    return lanes_[next.lane++];
  }

  stage_record& next_stage(position& next, const std::string& name, int concurrency, const lane& home) {
    const std::lock_guard lock(mutex_);
    if (next.stage == stages_.size()) stages_.emplace_back(name, concurrency, home);
    return stages_[next.stage++];
  }

  void begin() {
    const std::lock_guard lock(mutex_);
    scale_.emplace();
    for (lane& each : lanes_) each.restart();
  }

  void end() {
    const std::lock_guard lock(mutex_);
    elapsed_ = scale_->elapsed();
    nanoseconds_per_tick_ = scale_->nanoseconds_per_tick();
  }

  std::string sink_name() const {
    const std::lock_guard lock(mutex_);
    return sink_name_;
  }
  void rename_sink(std::string name) {
    const std::lock_guard lock(mutex_);
    sink_name_ = std::move(name);
  }

  pipeline_stats snapshot() const {
    const std::lock_guard lock(mutex_);
    pipeline_stats stats;
    if (!scale_) return stats;
    stats.elapsed = elapsed_.value_or(scale_->elapsed());
    const double unit = elapsed_ ? nanoseconds_per_tick_ : scale_->nanoseconds_per_tick();
    const auto time = [&](std::uint64_t count) {
      return std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(count) * unit));
    };
    for (const stage_record& each : stages_) {
      std::uint64_t starved = each.starved.value();
      std::uint64_t blocked = each.blocked.value();
      if (!each.between_lanes) {
        // The stages of a lane take turns: each waits while those before or after it work.
        starved += each.home->waited_for_input.value();
        blocked += each.home->waited_for_room.value();
        std::uint64_t* other = &starved;
        for (const stage_record& neighbour : stages_) {
          if (&neighbour == &each) {
            other = &blocked;
          } else if (neighbour.home == each.home && !neighbour.between_lanes) {
            *other += neighbour.busy.value();
          }
        }
      }
      stats.stages.push_back({each.name, each.items_in.value(), each.items_out.value(), each.concurrency,
                              time(each.busy.value()), time(starved), time(blocked)});
    }
    return stats;
  }

 private:
  mutable std::mutex mutex_;
  std::string sink_name_;
  std::deque<stage_record> stages_;  // references into them stay valid
  std::deque<lane> lanes_;
  std::optional<tick_scale> scale_;
  std::optional<std::chrono::nanoseconds> elapsed_;
  double nanoseconds_per_tick_ = 1;
};

/// What a stage reports to: its own record and the lane that pulls it.
class stage_meter {
 public:
  stage_meter(stage_record& record, lane& where) noexcept : record_(&record), lane_(&where) {}

  void item_in() noexcept { record_->items_in.add(1); }
  void item_out() noexcept { record_->items_out.add(1); }
  /// The time since the lane's last charge was this stage's work.
  void worked() noexcept { lane_->charge(record_->busy, record_->in_trace); }
  /// It was waiting for something outside the lane, upstream or downstream.
  void waited_for_input() noexcept { lane_->charge(lane_->waited_for_input, record_->waits_for_input); }
  void waited_for_room() noexcept { lane_->charge(lane_->waited_for_room, record_->waits_for_room); }

  stage_record& record() noexcept { return *record_; }
  lane& home() noexcept { return *lane_; }

  /// In a catch block: the current exception as this stage's failure, a cancellation as it is.
  std::exception_ptr failure() const {
    std::exception_ptr error = std::current_exception();
    if (is_cancellation(error)) return error;
    return std::make_exception_ptr(stage_error(record_->name, std::move(error)));
  }
  /// In a catch block: throws failure().
  [[noreturn]] void fail() const { std::rethrow_exception(failure()); }

 private:
  stage_record* record_;
  lane* lane_;
};

/// What a stage is given when the pipeline is put together: where to record, and which lane will pull it.
class opening {
 public:
  opening(recorder& records, recorder::position& next) : opening(records, next, records.next_lane(next), 0) {}
  /// @param pass which pass over its source this is: the passes of repeat() are numbered from 0
  opening(recorder& records, recorder::position& next, lane& home, std::uint64_t pass) noexcept
      : records_(&records), next_(&next), lane_(&home), pass_(pass) {}

  /// Registers the next stage of this lane; upstream stages register before.
  stage_meter stage(const std::string& name, int concurrency = 1) const {
    return stage_meter(records_->next_stage(*next_, name, concurrency, *lane_), *lane_);
  }

  /// For what is pulled by a coroutine of its own.
  opening new_lane() const { return opening(*records_, *next_, records_->next_lane(*next_), pass_); }

  recorder& records() const noexcept { return *records_; }
  recorder::position next() const noexcept { return *next_; }
  recorder::position* cursor() const noexcept { return next_; }
  lane& home() const noexcept { return *lane_; }
  std::uint64_t pass() const noexcept { return pass_; }

 private:
  recorder* records_;
  recorder::position* next_;
  lane* lane_;
  std::uint64_t pass_;
};

}  // namespace weft::detail
