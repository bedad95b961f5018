#pragma once

#include <weft/async/detail/nursery.hpp>
#include <weft/async/gather.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>

#include <atomic>     // for std::atomic
#include <cstddef>    // for std::size_t
#include <exception>  // for std::exception_ptr
#include <optional>   // for std::optional
#include <tuple>      // for std::tuple
#include <utility>    // for std::move, std::index_sequence
#include <vector>     // for std::vector

namespace weft {

/// How a race() between tasks of given types ended.
template <class... Ts>
struct race_result {
  /// Which task finished first, counted from 0.
  std::size_t winner = 0;
  /// The result of each task that finished: that of the winner, and of those that finished before their
  /// cancellation reached them. A void task's is std::monostate.
  std::tuple<std::optional<detail::regular<Ts>>...> results;
};

/// How a race() between any number of tasks of one type ended.
template <class T>
struct race_range_result {
  /// Which task finished first, counted from 0.
  std::size_t winner = 0;
  /// The result of each task that finished: that of the winner, and of those that finished before their
  /// cancellation reached them. A void task's is std::monostate.
  std::vector<std::optional<detail::regular<T>>> results;

  /// The winner's result.
  detail::regular<T>& value() { return *results[winner]; }
};

namespace detail {

/// What the runners of one race share.
struct race_course {
  static constexpr std::size_t nobody = static_cast<std::size_t>(-1);
  std::atomic<std::size_t> winner{nobody};
  std::exception_ptr failure;  // the winner's; written by it alone, read after the join
};

template <class T>
task<void> run_race(task<T> work, std::optional<regular<T>>& result, std::size_t index, race_course& course,
                    nursery& runners) {
  std::exception_ptr failure;
  try {
    co_await store_result<T>(std::move(work), result);
  } catch (...) {
    failure = std::current_exception();
  }
  // Whoever was asked to stop and says so has not finished.
  if (failure && runners.cancelled() && is_cancellation(failure)) std::rethrow_exception(failure);
  std::size_t expected = race_course::nobody;
  if (course.winner.compare_exchange_strong(expected, index, std::memory_order_acq_rel)) {
    course.failure = std::move(failure);
    runners.cancel();
  }
}

}  // namespace detail

/// Runs the tasks together until the first has finished, cancels the others, joins them, and tells who won.
///
/// The first to finish wins, with a result or with an exception, which is then rethrown; what the others
/// throw while they are being stopped is dropped. A task that finishes at the same time as the winner, before
/// its cancellation reaches it, keeps its result: race(a.pop(), b.pop()) may take an item from both queues,
/// and then returns both. Look at all results where losing one matters.
///
/// Cancellation: cancels all and joins them. Throws `cancelled` unless a task had finished before.
template <class... Ts>
requires(sizeof...(Ts) > 0) task<race_result<Ts...>> race(task<Ts>... tasks) {
  race_result<Ts...> outcome;
  detail::race_course course;
  auto works = std::make_tuple(std::move(tasks)...);
  auto start = [&](detail::nursery& runners) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (runners.spawn([&] {
        return detail::run_race<Ts>(std::move(std::get<I>(works)), std::get<I>(outcome.results), I, course,
                                    runners);
      }),
       ...);
    }
    (std::index_sequence_for<Ts...>{});
  };
  co_await detail::supervise(start);
  if (course.failure) std::rethrow_exception(course.failure);
  outcome.winner = course.winner.load(std::memory_order_relaxed);
  if (outcome.winner == detail::race_course::nobody) throw cancelled();
  co_return outcome;
}

/// As above, for any number of tasks of one type. Throws invalid_argument if there is none: nobody could win.
template <class T>
task<race_range_result<T>> race(std::vector<task<T>> tasks) {
  if (tasks.empty()) throw invalid_argument("race: there are no tasks, so none can finish first");
  race_range_result<T> outcome;
  outcome.results.resize(tasks.size());
  detail::race_course course;
  auto start = [&](detail::nursery& runners) {
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      runners.spawn([&, i] {
        return detail::run_race<T>(std::move(tasks[i]), outcome.results[i], i, course, runners);
      });
    }
  };
  co_await detail::supervise(start);
  if (course.failure) std::rethrow_exception(course.failure);
  outcome.winner = course.winner.load(std::memory_order_relaxed);
  if (outcome.winner == detail::race_course::nobody) throw cancelled();
  co_return outcome;
}

}  // namespace weft
