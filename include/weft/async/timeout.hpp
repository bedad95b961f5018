#pragma once

#include <weft/async/detail/attempt.hpp>
#include <weft/async/detail/nursery.hpp>
#include <weft/async/gather.hpp>
#include <weft/async/sleep.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>

#include <chrono>       // for std::chrono::duration
#include <optional>     // for std::optional
#include <type_traits>  // for std::is_void_v
#include <utility>      // for std::move

namespace weft {

/// Runs `work` for at most `limit` and returns its result: asyncio.wait_for. If the time is over first, the
/// work is cancelled and joined, and timeout_error is thrown; but a result that it has delivered nevertheless
/// is returned, and an error of its own is rethrown, so nothing is lost when both happen at once.
///
/// Cancellation: cancels the work and joins it. Throws `cancelled` unless the work had already finished.
template <class T, class Rep, class Period>
task<detail::awaited<T>> timeout(task<T> work, std::chrono::duration<Rep, Period> limit) {
  std::optional<detail::regular<T>> result;
  auto start = [&](detail::nursery& children) {
    // The two may run on different threads, so neither reads what the other writes before both are joined.
    auto worker = [](task<T> inner, std::optional<detail::regular<T>>& place,
                     detail::nursery& both) -> task<void> {
      co_await detail::store_result<T>(std::move(inner), place);
      both.cancel();
    };
    auto watch = [](auto duration, detail::nursery& both) -> task<void> {
      co_await sleep_for(duration);
      both.cancel();
    };
    children.spawn([&] { return worker(std::move(work), result, children); });
    children.spawn([&] { return watch(limit, children); });
  };
  const detail::supervised end = co_await detail::supervise(start);
  if (!result) {
    if (end.asked_to_stop) throw cancelled();
    throw timeout_error();
  }
  if constexpr (!std::is_void_v<detail::awaited<T>>) co_return std::move(*result);
}

}  // namespace weft
