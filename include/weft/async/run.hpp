#pragma once

#include <weft/async/detail/attempt.hpp>
#include <weft/async/task.hpp>

#include <optional>     // for std::optional
#include <type_traits>  // for std::is_void_v
#include <utility>      // for std::move

namespace weft {

namespace detail {

template <class T>
task<void> keep_result(task<T> work, std::optional<awaited<T>>& result) {
  result.emplace(co_await std::move(work));
}

/// Runs the coroutine on an event loop of its own and throws what it throws.
void run_loop(task<void> main);

}  // namespace detail

/// Runs `main` on an event loop of its own, on the calling thread, as asyncio.run() does. Returns what it
/// returns or throws what it throws, after everything that was started on the loop has finished.
///
/// Thread safety: each call has its own loop; the coroutines of one call never run at the same time.
template <class T>
detail::awaited<T> run(task<T> main) {
  if constexpr (std::is_void_v<detail::awaited<T>>) {
    detail::run_loop(std::move(main));
  } else {
    std::optional<detail::awaited<T>> result;
    detail::run_loop(detail::keep_result(std::move(main), result));
    return std::move(*result);
  }
}

}  // namespace weft
