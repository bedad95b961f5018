#pragma once

#include <weft/async/detail/attempt.hpp>
#include <weft/async/detail/nursery.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>

#include <cstddef>      // for std::size_t
#include <optional>     // for std::optional
#include <tuple>        // for std::tuple, std::apply
#include <type_traits>  // for std::is_void_v
#include <utility>      // for std::move, std::index_sequence
#include <variant>      // for std::monostate
#include <vector>       // for std::vector

namespace weft {

namespace detail {

/// What awaiting a task<T> gives, as a tuple holds it: void becomes monostate.
template <class T>
using regular = std::conditional_t<std::is_void_v<awaited<T>>, std::monostate, awaited<T>>;

template <class T>
task<void> store_result(task<T> work, std::optional<regular<T>>& result) {
  if constexpr (std::is_void_v<awaited<T>>) {
    co_await std::move(work);
    result.emplace();
  } else {
    result.emplace(co_await std::move(work));
  }
}

}  // namespace detail

/// Runs the tasks together and returns their results in the order of the arguments (void as std::monostate):
/// asyncio.gather. The first that fails cancels the others; all are joined and its error is rethrown.
///
/// Cancellation: cancels all and joins them. Throws `cancelled` if that stopped any of them; if all had
/// already finished, their results are returned. What some had returned when an error or a cancellation stops
/// the others is destroyed: gather pops from queues only where that may happen, or use race().
template <class... Ts>
task<std::tuple<detail::regular<Ts>...>> gather(task<Ts>... tasks) {
  std::tuple<std::optional<detail::regular<Ts>>...> results;
  auto works = std::make_tuple(std::move(tasks)...);
  auto start = [&](detail::nursery& children) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (children.spawn(
           [&] { return detail::store_result<Ts>(std::move(std::get<I>(works)), std::get<I>(results)); }),
       ...);
    }
    (std::index_sequence_for<Ts...>{});
  };
  co_await detail::supervise(start);
  const bool complete = std::apply([](const auto&... each) { return (each.has_value() && ...); }, results);
  if (!complete) throw cancelled();
  co_return std::apply([](auto&... each) { return std::tuple<detail::regular<Ts>...>(std::move(*each)...); },
                       results);
}

/// As above, for any number of tasks of one type.
template <class T>
task<std::vector<detail::regular<T>>> gather(std::vector<task<T>> tasks) {
  std::vector<std::optional<detail::regular<T>>> results(tasks.size());
  auto start = [&](detail::nursery& children) {
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      children.spawn([&work = tasks[i], &result = results[i]] {
        return detail::store_result<T>(std::move(work), result);
      });
    }
  };
  co_await detail::supervise(start);
  std::vector<detail::regular<T>> values;
  values.reserve(results.size());
  for (auto& each : results) {
    if (!each) throw cancelled();
    values.push_back(std::move(*each));
  }
  co_return values;
}

}  // namespace weft
