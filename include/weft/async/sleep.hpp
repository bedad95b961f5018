#pragma once

#include <weft/async/task.hpp>
#include <weft/core/error.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>  // for std::chrono::duration

namespace weft {

/// Suspends the coroutine for the given time; the thread goes on with other work.
///
/// Cancellation: throws `cancelled` at once.
template <class Rep, class Period>
task<void> sleep_for(std::chrono::duration<Rep, Period> duration) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  timer.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(duration));
  boost::system::error_code error;
  co_await timer.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, error));
  if (error) throw cancelled();
}

}  // namespace weft
