#pragma once

#include <weft/async/detail/nursery.hpp>
#include <weft/async/task.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>  // for std::exception_ptr
#include <optional>   // for std::optional
#include <utility>    // for std::move

namespace weft {

/// Runs `main` on an event loop of its own, on the calling thread, as asyncio.run() does. Returns what it
/// returns or throws what it throws, after everything that was started on the loop has finished.
///
/// Thread safety: each call has its own loop; the coroutines of one call never run at the same time.
template <class T>
T run(task<T> main) {
  boost::asio::io_context loop(1);
  boost::asio::make_service<detail::single_thread_mark>(loop);
  std::exception_ptr failure;
  if constexpr (std::is_void_v<T>) {
    boost::asio::co_spawn(loop, std::move(main), [&](std::exception_ptr error) { failure = error; });
    loop.run();
    if (failure) std::rethrow_exception(failure);
  } else {
    std::optional<T> result;
    boost::asio::co_spawn(loop, std::move(main), [&](std::exception_ptr error, T value) {
      failure = error;
      if (!error) result.emplace(std::move(value));
    });
    loop.run();
    if (failure) std::rethrow_exception(failure);
    return std::move(*result);
  }
}

}  // namespace weft
