#pragma once

#include <weft/async/task.hpp>

#include <chrono>  // for std::chrono::duration, std::chrono::steady_clock

namespace weft {

namespace detail {

task<void> sleep(std::chrono::steady_clock::duration duration);

}  // namespace detail

/// Suspends the coroutine for the given time; the thread goes on with other work.
///
/// Cancellation: throws `cancelled` at once.
template <class Rep, class Period>
task<void> sleep_for(std::chrono::duration<Rep, Period> duration) {
  return detail::sleep(std::chrono::duration_cast<std::chrono::steady_clock::duration>(duration));
}

}  // namespace weft
