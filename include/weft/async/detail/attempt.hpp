#pragma once

#include <weft/async/task.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <coroutine>    // for std::coroutine_handle
#include <type_traits>  // for std::is_void_v
#include <utility>      // for std::move

namespace weft::detail {

/// What stands for the result of an operation that seldom waits: awaitable<Outcome> tries the operation where
/// it is awaited and makes a coroutine of it only if it has to wait, for a coroutine's frame costs several
/// times what the rest of it does. Asio's coroutines await nothing but an awaitable; so the Outcome names the
/// operation:
///
///     using awaited = ...;       what co_await gives to weft's own functions, and what a task of it returns
///     using attempt = ...;       the operation, movable:
///       bool now();              completes it if that needs no waiting
///       task<bool> later();      completes it; false if it was refused. The attempt outlives it
///       ... result(bool);        once it is complete; given false if it was refused
///
/// An Outcome is default-constructible and made of what result() returns, since Asio keeps one where it runs
/// the operation for somebody else.
template <class T>
concept outcome = requires {
  typename T::awaited;
  typename T::attempt;
};

template <class T>
struct awaited_of {
  using type = T;
};
template <outcome T>
struct awaited_of<T> {
  using type = typename T::awaited;
};
/// What awaiting a task<T> gives.
template <class T>
using awaited = typename awaited_of<T>::type;

}  // namespace weft::detail

/// A weft operation that is tried before it becomes a coroutine. It converts to the task that it stands for.
///
/// Thread safety: distinct objects safe; it is awaited once, by one coroutine.
template <weft::detail::outcome Outcome>
class [[nodiscard]] boost::asio::awaitable<Outcome, boost::asio::any_io_executor> {
 public:
  using value_type = Outcome;
  using executor_type = any_io_executor;

  explicit awaitable(typename Outcome::attempt attempt) : attempt_(std::move(attempt)) {}
  // It is moved only before it is awaited.
  awaitable(awaitable&& other) noexcept(std::is_nothrow_move_constructible_v<typename Outcome::attempt>)
      : attempt_(std::move(other.attempt_)) {}

  bool await_ready() { return attempt_.now(); }

  template <class U>
  void await_suspend(std::coroutine_handle<detail::awaitable_frame<U, any_io_executor>> caller) {
    waiting_ = attempt_.later();
    waiting_.await_suspend(caller);
  }

  decltype(auto) await_resume() { return attempt_.result(!waiting_.valid() || waiting_.await_resume()); }

  operator weft::task<typename Outcome::awaited>() && {  // NOLINT(google-explicit-constructor)
    return whole(std::move(*this));
  }

 private:
  static weft::task<typename Outcome::awaited> whole(awaitable self) {
    if constexpr (std::is_void_v<typename Outcome::awaited>) {
      co_await std::move(self);
    } else {
      co_return co_await std::move(self);
    }
  }

  typename Outcome::attempt attempt_;
  awaitable<bool, any_io_executor> waiting_;
};
