#pragma once

#include <boost/asio/awaitable.hpp>

namespace weft {

/// A coroutine that computes a T: lazy, move-only, started by co_await or by a spawning function.
///
/// It is Asio's awaitable, so a weft program awaits sockets, timers and Beast's HTTP in the same coroutine.
///
/// Thread safety: distinct objects safe; a task is awaited once, by one coroutine.
/// Cancellation: through the cancellation slot of the coroutine that awaits it.
template <class T = void>
using task = boost::asio::awaitable<T>;

}  // namespace weft
