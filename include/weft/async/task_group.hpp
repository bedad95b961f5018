#pragma once

#include <weft/async/detail/nursery.hpp>
#include <weft/async/task.hpp>

#include <cstddef>      // for std::size_t
#include <type_traits>  // for std::invoke_result_t
#include <utility>      // for std::move

namespace weft {

/// Coroutines that run together and end together: asyncio's TaskGroup, Trio's nursery.
///
///     co_await with_task_group([&](task_group& group) -> task<> {
///       group.spawn(produce, std::ref(queue));
///       group.spawn(consume, std::ref(queue));
///       co_return;
///     });
///
/// A group exists only inside with_task_group(), which returns when the body and all children have finished:
/// no child outlives what it refers to. The first error, of the body or of a child, cancels all others; they
/// are joined and it is rethrown. A child that was cancelled and ends with `cancelled` has not failed.
///
/// Thread safety: shared objects safe while with_task_group() runs.
/// Cancellation: cancelling with_task_group() cancels the body and all children, joins them and throws
/// `cancelled`.
class task_group {
 public:
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;

  /// Starts a child. It may run up to its first wait before this returns. After cancel() it is dropped
  /// instead.
  void spawn(task<void> child) { children_->spawn(std::move(child)); }

  /// Starts `function(arguments...)`, keeping the function and the decayed arguments alive until it has
  /// finished.
  template <class F, class... Args>
  requires std::is_invocable_r_v<task<void>, F, Args...>
  void spawn(F function, Args... arguments) {
    children_->spawn(call(std::move(function), std::move(arguments)...));
  }

  /// Asks the body and every child to stop. They are still joined.
  void cancel() { children_->cancel(); }

  /// How many have not finished, the body included; a momentary value.
  std::size_t size() const noexcept { return children_->size(); }

 private:
  template <class Body>
  friend task<void> with_task_group(Body body);
  task_group() = default;

  template <class F, class... Args>
  static task<void> call(F function, Args... arguments) {
    co_await function(std::move(arguments)...);
  }

  detail::nursery* children_ = nullptr;
};

/// Runs `body(group)` and everything it spawns; see task_group.
template <class Body>
task<void> with_task_group(Body body) {
  task_group group;
  auto start = [&](detail::nursery& children) {
    group.children_ = &children;
    children.spawn(body(group));
  };
  co_await detail::supervise(start);
}

}  // namespace weft
