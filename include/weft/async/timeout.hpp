#pragma once

#include <weft/async/detail/nursery.hpp>
#include <weft/async/gather.hpp>
#include <weft/async/sleep.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>

#include <chrono>    // for std::chrono::duration
#include <optional>  // for std::optional
#include <utility>   // for std::move

namespace weft {

/// Runs `work` for at most `limit` and returns its result: asyncio.wait_for. If the time is over first, the
/// work is cancelled and joined, and timeout_error is thrown; a result that it still delivered is returned.
///
/// Cancellation: cancels the work, joins it and throws `cancelled`.
template <class T, class Rep, class Period>
task<T> timeout(task<T> work, std::chrono::duration<Rep, Period> limit) {
  std::optional<detail::regular<T>> result;
  bool late = false;
  auto start = [&](detail::nursery& children) {
    // The two may run on different threads, so neither reads what the other writes before both are joined.
    auto worker = [](task<T> inner, std::optional<detail::regular<T>>& place,
                     detail::nursery& both) -> task<void> {
      co_await detail::store_result<T>(std::move(inner), place);
      both.cancel();
    };
    auto watch = [](auto duration, bool& over, detail::nursery& both) -> task<void> {
      co_await sleep_for(duration);
      over = true;
      both.cancel();
    };
    children.spawn(worker(std::move(work), result, children));
    children.spawn(watch(limit, late, children));
  };
  co_await detail::supervise(start);
  if (!result) throw timeout_error();
  if constexpr (!std::is_void_v<T>) co_return std::move(*result);
}

}  // namespace weft
