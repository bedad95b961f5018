#pragma once

#include <weft/async/detail/workbench.hpp>
#include <weft/async/sleep.hpp>
#include <weft/async/stream/stage.hpp>
#include <weft/core/error.hpp>
#include <weft/observe/span.hpp>

#include <chrono>       // for std::chrono::steady_clock, std::chrono::microseconds
#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::uint8_t, std::uint32_t
#include <exception>    // for std::current_exception
#include <functional>   // for std::invoke
#include <optional>     // for std::optional
#include <string>       // for std::to_string
#include <thread>       // for std::this_thread::yield
#include <type_traits>  // for std::invoke_result_t
#include <utility>      // for std::move

namespace weft {

/// In which order a concurrent map() gives out its results.
enum class map_order : std::uint8_t {
  /// In the order of the items: a slow one holds back those after it, which wait in the stage's buffer.
  ordered,
  /// As they are ready: a slow item holds back nobody.
  as_ready,
};
using enum map_order;

/// How a concurrent map() works.
struct map_options {
  /// How many items are worked on at the same time. 0: on a pool, as many as it has threads; for a coroutine
  /// function, 1.
  int concurrency = 0;
  /// Which result comes out next.
  map_order order = ordered;
  /// How many items may be in the stage: waiting, being worked on, or done and not yet taken. 0: 16 times the
  /// concurrency on a pool, of which a stage with slow items uses only twice the concurrency; for a coroutine
  /// function, the concurrency.
  std::size_t buffer = 0;
  /// On a pool: how long a result may wait for others, so that the event loop is woken once for many items of
  /// a few microseconds and not for each; at most twice as long if they take longer than expected. Also how
  /// much work is read ahead, within the buffer. 0: the loop is woken for each result. A result of an item
  /// that takes as long does not wait.
  std::chrono::microseconds linger{2000};
};

namespace detail {

/// Something that runs plain functions elsewhere: `co_await pool.run(function)`.
template <class P>
concept function_pool = requires(P& pool, void (*function)()) {
  requires std::is_same_v<decltype(pool.run(function)), task<void>>;
};

inline map_options checked(map_options options, int default_concurrency, std::size_t default_buffer_factor) {
  if (options.concurrency < 0) {
    throw invalid_argument("map: the concurrency is " + std::to_string(options.concurrency) +
                           ", it must be positive, or 0 for the default");
  }
  if (options.concurrency == 0) options.concurrency = default_concurrency;
  if (options.linger.count() < 0) throw invalid_argument("map: linger is negative");
  const auto width = static_cast<std::size_t>(options.concurrency);
  if (options.buffer == 0) options.buffer = default_buffer_factor * width;
  if (options.buffer < width) {
    throw invalid_argument("map: a buffer of " + std::to_string(options.buffer) + " items is too small for " +
                           std::to_string(width) + " at the same time");
  }
  return options;
}

/// What all ways of mapping have in common: one item in, one result out.
template <class Upstream, class F>
struct map_types {
  using input_type = typename Upstream::value_type;
  using returned_type = std::invoke_result_t<F&, input_type>;
  static constexpr bool is_coroutine = task_result<returned_type>::is_task;
  using value_type = std::remove_cvref_t<typename task_result<returned_type>::type>;
  static_assert(!std::is_void_v<value_type>,
                "map() needs a function that returns a value; see tap() and for_each()");
};

/// The function runs where the stage is pulled, one item at a time.
template <class Upstream, class F>
struct map_stream : stream_base {
  using types = map_types<Upstream, F>;
  using value_type = typename types::value_type;
  static constexpr bool background = Upstream::background;

  Upstream upstream;
  F function;

  map_stream(Upstream before, F change)
      : stream_base{"map"}, upstream(std::move(before)), function(std::move(change)) {}

  class running {
   public:
    running(map_stream&& description, const opening& open)
        : upstream_(std::move(description.upstream), open),
          function_(std::move(description.function)),
          meter_(open.stage(description.name)) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void start(nursery& children) { upstream_.start(children); }

    task<std::optional<value_type>> next() {
      std::optional<value_type> result;
      std::optional<typename types::input_type> item = co_await upstream_.next();
      if (!item) co_return result;
      meter_.item_in();
      try {
        if constexpr (types::is_coroutine) {
          result.emplace(co_await std::invoke(function_, std::move(*item)));
        } else {
          result.emplace(std::invoke(function_, std::move(*item)));
        }
      } catch (...) {
        meter_.fail();
      }
      meter_.worked();
      meter_.item_out();
      co_return result;
    }

   private:
    typename Upstream::running upstream_;
    F function_;
    stage_meter meter_;
  };
};

template <class F>
struct map_adaptor : adaptor_base {
  F function;

  explicit map_adaptor(F change) : function(std::move(change)) {}

  template <stream S>
  auto attach(S upstream) && {
    return map_stream<S, F>(std::move(upstream), std::move(function));
  }
};

/// The pool of a map whose function is a coroutine.
struct no_pool {};

/// Several items at a time: a feeder pulls them, workers map them, next() takes the results.
template <class Upstream, class Pool, class F>
struct concurrent_map_stream : stream_base {
  using types = map_types<Upstream, F>;
  using input_type = typename types::input_type;
  using value_type = typename types::value_type;
  static constexpr bool background = true;
  static constexpr bool on_pool = !std::is_same_v<Pool, no_pool>;
  static_assert(on_pool != types::is_coroutine,
                "map(pool, f) needs a plain function, map(f, {.concurrency}) a coroutine function");

  Upstream upstream;
  Pool* pool;
  F function;
  map_options options;

  concurrent_map_stream(Upstream before, Pool* where, F change, map_options how)
      : stream_base{"map"},
        upstream(std::move(before)),
        pool(where),
        function(std::move(change)),
        options(how) {}

  class running {
   public:
    running(concurrent_map_stream&& description, const opening& open)
        : running(std::move(description), open, open.new_lane()) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void start(nursery& children) {
      children_ = &children;
      upstream_.start(children);
      if constexpr (on_pool) children.spawn([this] { return alarm(); });
      children.spawn([this] { return feed(); });
    }

    task<std::optional<value_type>> next() {
      std::optional<value_type> result;
      while (!bench_.take(result)) {
        meter_.home().lap();
        co_await bench_.arrival();
        meter_.waited_for_input();
      }
      co_return result;
    }

   private:
    using bench_type = workbench<input_type, value_type>;
    using place = typename bench_type::place;
    using call = typename bench_type::call;

    running(concurrent_map_stream&& description, const opening& open, const opening& behind)
        : feeder_lane_(&behind.home()),
          upstream_(std::move(description.upstream), behind),
          pool_(description.pool),
          function_(std::move(description.function)),
          meter_(open.stage(description.name, description.options.concurrency)),
          bench_(description.options.buffer, static_cast<std::size_t>(description.options.concurrency),
                 description.options.order == ordered, on_pool,
                 on_pool ? description.options.linger : std::chrono::microseconds(0), meter_.record()) {
      meter_.record().between_lanes = true;
    }

    task<void> feed() {
      feeder_lane_->restart();
      breather pause;
      try {
        place here = bench_.look();
        for (;;) {
          while (here == place::full) {
            co_await bench_.room();
            feeder_lane_->charge(feeder_lane_->waited_for_room, meter_.record().waits_for_room);
            here = bench_.look();
          }
          if (here == place::refused) co_return;
          std::optional<input_type> item = co_await upstream_.next();
          if (!item) break;
          const auto put = bench_.put(std::move(*item));
          here = put.next;
          if (put.start_worker) children_->spawn([this] { return worker(); });
          if (pause.due(*feeder_lane_)) co_await pause.breathe(*feeder_lane_);
        }
        bench_.finish();
      } catch (...) {
        bench_.finish(std::current_exception());
      }
    }

    task<void> worker() {
      for (;;) {
        call now = bench_.look_for_work();
        while (now == call::wait) {
          co_await bench_.work();
          now = bench_.look_for_work();
        }
        if (now == call::leave) co_return;
        if constexpr (on_pool) {
          co_await pool_->run([this] { work_through(); });
        } else {
          co_await await_one();
        }
      }
    }

    // On a pool's thread: maps items until none is pending. Every few milliseconds another user of the pool
    // that waits gets the thread.
    void work_through() {
      while (work_through_slice()) {
        if (others_wait()) return;
      }
    }

    // Returns whether the time was up before the items were.
    bool work_through_slice() {
      using clock = std::chrono::steady_clock;
      constexpr std::chrono::milliseconds slice(4);
      span working(meter_.record().in_trace);
      const clock::time_point begin = clock::now();
      std::chrono::nanoseconds passed(0);
      std::int64_t count = 0;
      std::uint64_t last = ticks();
      std::optional<std::uint32_t> index = bench_.claim();
      while (index) {
        std::exception_ptr error = map_here(*index);
        const std::uint64_t now = ticks();
        const std::uint64_t taken = now > last ? now - last : 0;
        last = now;
        ++count;
        if (error) {
          bench_.fail(*index, std::move(error), taken);
          return false;
        }
        passed = clock::now() - begin;
        const auto done = bench_.complete(*index, taken, passed < slice);
        index = done.next;
        // The loop's thread should run now, while there is still work to do here. Where the pool's threads
        // keep all cores busy, the scheduler would let it wait for the end of a time slice, and the pool
        // would run dry.
        if (done.woke_consumer) std::this_thread::yield();
      }
      if (count != 0) bench_.measured(static_cast<std::uint64_t>(passed.count() / count));
      working.argument("items", static_cast<double>(count));
      return passed >= slice;
    }

    bool others_wait() const {
      if constexpr (requires { pool_->queued(); }) {
        return pool_->queued() != 0;
      } else {
        return true;
      }
    }

    std::exception_ptr map_here(std::uint32_t index) noexcept {
      try {
        bench_.set_result(index, std::invoke(function_, bench_.input(index)));
        return nullptr;
      } catch (...) {
        return meter_.failure();
      }
    }

    task<void> await_one() {
      const std::optional<std::uint32_t> index = bench_.claim();
      if (!index) co_return;
      const async_span working(meter_.record().in_trace);
      const std::uint64_t begin = ticks();
      std::exception_ptr error;
      try {
        bench_.set_result(*index, co_await std::invoke(function_, bench_.input(*index)));
      } catch (...) {
        error = meter_.failure();
      }
      const std::uint64_t end = ticks();
      const std::uint64_t taken = end > begin ? end - begin : 0;
      if (error) {
        bench_.fail(*index, std::move(error), taken);
      } else {
        bench_.complete(*index, taken, false);
      }
    }

    // Lives until the pipeline stops; then calls that have not begun are dropped.
    task<void> alarm() {
      const stop_at_end at_end(bench_);
      for (;;) {
        co_await bench_.armed();
        for (auto left = bench_.patience(); left.count() > 0; left = bench_.patience())
          co_await sleep_for(left);
      }
    }

    class stop_at_end {
     public:
      explicit stop_at_end(bench_type& bench) noexcept : bench_(bench) {}
      stop_at_end(const stop_at_end&) = delete;
      stop_at_end& operator=(const stop_at_end&) = delete;
      ~stop_at_end() { bench_.stop(); }

     private:
      bench_type& bench_;
    };

    nursery* children_ = nullptr;
    lane* feeder_lane_;
    typename Upstream::running upstream_;
    Pool* pool_;
    F function_;
    stage_meter meter_;
    bench_type bench_;
  };
};

template <class Pool, class F>
struct concurrent_map_adaptor : adaptor_base {
  Pool* pool;
  F function;
  map_options options;

  concurrent_map_adaptor(Pool* where, F change, map_options how)
      : pool(where), function(std::move(change)), options(how) {}

  template <stream S>
  auto attach(S upstream) && {
    return concurrent_map_stream<S, Pool, F>(std::move(upstream), pool, std::move(function), options);
  }
};

}  // namespace detail

/// `function(item)` for each item: a plain function, or a coroutine function, which is awaited. One item at a
/// time, where the pipeline is pulled; for work that takes more than microseconds see the forms with a pool.
template <class F>
auto map(F function) {
  return detail::map_adaptor<F>(std::move(function));
}

/// As above for a coroutine function, on several items at the same time.
///
/// Starts in the background, ahead of what comes after it; holds at most `buffer` items. The function is
/// called again before earlier calls have finished, and on an executor with several threads at the same time.
/// An error comes out in its item's place; items that had not been begun by then are dropped. Throws
/// invalid_argument if an option cannot work.
template <class F>
auto map(F function, map_options options) {
  return detail::concurrent_map_adaptor<detail::no_pool, F>(nullptr, std::move(function),
                                                            detail::checked(options, 1, 1));
}

/// As above for a plain function, called on the threads of a pool: anything with `pool.run(function) ->
/// task<void>`, such as thread_pool, which must outlive the pipeline. The function is called from several
/// threads at the same time.
///
/// Items are handed to the pool many at a time where they take only microseconds, and one by one where they
/// take long: a pool's thread takes the next item as soon as it has done one, and a result waits at most
/// four milliseconds for others.
///
/// Cancellation: calls that run are waited for, and no more are begun.
template <detail::function_pool Pool, class F>
auto map(Pool& pool, F function, map_options options = {}) {
  int threads = 1;
  if constexpr (requires { pool.threads(); }) threads = pool.threads();
  return detail::concurrent_map_adaptor<Pool, F>(&pool, std::move(function),
                                                 detail::checked(options, threads, 16));
}

}  // namespace weft
