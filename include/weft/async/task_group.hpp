#pragma once

#include <weft/async/detail/nursery.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>

#include <cstddef>      // for std::size_t
#include <exception>    // for std::exception_ptr
#include <type_traits>  // for std::is_invocable_r_v
#include <utility>      // for std::move
#include <vector>       // for std::vector

namespace weft {

namespace detail {

inline auto holding(task<void> child) {
  return [held = std::move(child)]() mutable { return std::move(held); };
}

template <class F, class... Args>
auto binding(F function, Args... arguments) {
  return [held = std::move(function), ... with = std::move(arguments)]() mutable -> task<void> {
    return held(std::move(with)...);
  };
}

}  // namespace detail

/// How with_task_group() runs its children.
struct task_group_options {
  /// How many children run at a time; 0 is any number. The body does not count. Children beyond the limit
  /// wait for a place, first come first served: see task_group::spawn() and task_group::spawn_when_free().
  std::size_t limit = 0;
  /// If not null, receives every error of the body and of the children when with_task_group() throws: the
  /// first, which is the one that is thrown, and then the others in the order in which they came. Must
  /// outlive the call, which leaves it alone if there is no error.
  std::vector<std::exception_ptr>* errors = nullptr;
};

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
/// are joined and it is rethrown, as the very exception it was. Errors that come after it go to
/// task_group_options::errors. A child that was asked to stop and ends with `cancelled` (or with Asio's
/// operation_aborted) has not failed.
///
/// On a thread pool or an event loop with several threads, every child runs on a strand of its own, so the
/// children run in parallel; under run(), or on a strand, they run one at a time with their parent.
///
/// Thread safety: shared objects safe while the body or a child has not finished.
/// Cancellation: cancelling with_task_group() cancels the body and all children and joins them. It throws
/// `cancelled` if that stopped any of them, and succeeds if all had already done their work.
class task_group {
 public:
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;

  /// Starts a child. It may run up to its first wait before this returns. After cancel() it is destroyed
  /// unstarted instead.
  ///
  /// Never waits: a child beyond the limit is kept, unstarted, until a place is free. What it costs until
  /// then is its coroutine frame and its arguments; spawn_when_free() bounds that too.
  void spawn(task<void> child) { children_->spawn(detail::holding(std::move(child)), admission::limited); }

  /// Starts `function(arguments...)` as a child and keeps the function and the decayed arguments alive until
  /// it has finished.
  template <class F, class... Args>
  requires std::is_invocable_r_v<task<void>, F&, Args...> void spawn(F function, Args... arguments) {
    children_->spawn(detail::binding(std::move(function), std::move(arguments)...), admission::limited);
  }

  /// Waits until fewer children run than the limit allows, and starts the child then: a loop that spawns this
  /// way is held up by its children and needs memory for `limit` of them only. Children that spawn() has
  /// queued go first.
  ///
  /// Cancellation: throws `cancelled`, and the child has not been started.
  task<void> spawn_when_free(task<void> child) {
    auto work = detail::holding(std::move(child));
    if (!children_->try_place()) co_await place();
    children_->spawn(std::move(work), admission::admitted);
  }

  /// As above, for `function(arguments...)`.
  template <class F, class... Args>
  requires std::is_invocable_r_v<task<void>, F&, Args...> task<void> spawn_when_free(F function,
                                                                                     Args... arguments) {
    auto work = detail::binding(std::move(function), std::move(arguments)...);
    if (!children_->try_place()) co_await place();
    children_->spawn(std::move(work), admission::admitted);
  }

  /// Waits until every child spawned so far, and every child that those spawn, has finished; the group then
  /// takes new ones. For the body only: a child that awaited it would wait for the body.
  ///
  /// Cancellation: throws `cancelled`.
  task<void> join();

  /// Asks the body and every child to stop, and destroys those that wait for a place. They are still joined.
  /// This alone is no error: with_task_group() then returns normally.
  void cancel() { children_->cancel(); }

  /// Whether the group has been cancelled, by cancel(), by an error or from outside.
  bool is_cancelled() const noexcept { return children_->cancelled(); }

  /// How many have not finished, the body and the children that wait for a place included; a momentary value.
  std::size_t size() const noexcept { return children_->count(); }

 private:
  using admission = detail::nursery::admission;

  template <class Body>
  friend task<void> with_task_group(task_group_options options, Body body);
  task_group() = default;

  task<void> place();

  detail::nursery* children_ = nullptr;
};

/// Runs `task<void> body(task_group&)` and everything it spawns; see task_group.
template <class Body>
task<void> with_task_group(task_group_options options, Body body) {
  task_group group;
  auto start = [&](detail::nursery& children) {
    group.children_ = &children;
    children.spawn([&] { return body(group); });
  };
  const detail::supervised end = co_await detail::supervise(start, options.limit, options.errors);
  if (end.asked_to_stop && end.interrupted) throw cancelled();
}

/// As above, with no limit.
template <class Body>
task<void> with_task_group(Body body) {
  return with_task_group(task_group_options(), std::move(body));
}

}  // namespace weft
