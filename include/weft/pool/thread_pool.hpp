#pragma once

#include <weft/core/error.hpp>
#include <weft/pool/future.hpp>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <atomic>       // for std::atomic
#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::int64_t
#include <deque>        // for std::deque
#include <functional>   // for std::invoke
#include <iterator>     // for std::begin
#include <memory>       // for std::unique_ptr
#include <mutex>        // for std::mutex
#include <optional>     // for std::optional
#include <ranges>       // for std::ranges::random_access_range
#include <string>       // for std::to_string
#include <thread>       // for std::thread::hardware_concurrency
#include <tuple>        // for std::tuple, std::apply
#include <type_traits>  // for std::invoke_result_t
#include <utility>      // for std::move, std::forward
#include <vector>       // for std::vector

namespace weft {

namespace detail {

/// oneTBB starts at most (number of cores - 1) workers for the whole process unless told otherwise, so an
/// arena of n threads would have fewer. This raises that limit to what the living pools ask for together.
class worker_demand {
 public:
  explicit worker_demand(int workers) : workers_(workers) { change(workers); }
  worker_demand(const worker_demand&) = delete;
  worker_demand& operator=(const worker_demand&) = delete;
  ~worker_demand() { change(-workers_); }

 private:
  static void change(int difference) {
    static std::mutex mutex;
    static int total = 0;
    static std::unique_ptr<tbb::global_control> limit;
    const std::lock_guard lock(mutex);
    total += difference;
    const int cores = static_cast<int>(std::thread::hardware_concurrency());
    // Several controls are combined by the smallest value: the old one goes first.
    limit.reset();
    if (total + 1 > cores) {
      limit = std::make_unique<tbb::global_control>(tbb::global_control::max_allowed_parallelism,
                                                    static_cast<std::size_t>(total) + 1);
    }
  }

  int workers_;
};

}  // namespace detail

/// How a thread_pool is set up.
struct thread_pool_options {
  /// Number of threads; 0 for one per core.
  int threads = 0;
};

/// Threads that run plain functions: concurrent.futures' ThreadPoolExecutor, over a oneTBB arena.
///
/// Calls start in the order they were submitted. The destructor blocks: it runs what is still queued, then
/// joins; cancel the futures first if that is not wanted. It must not run on one of the pool's own threads.
///
/// Thread safety: distinct objects safe; shared objects safe.
/// Cancellation: future::cancel() for a submitted call; run() as future::async_get().
class thread_pool {
 public:
  /// @param threads how many, 0 for one per core; throws invalid_argument if negative
  explicit thread_pool(int threads = 0) : thread_pool(thread_pool_options{.threads = threads}) {}

  /// Throws invalid_argument if an option cannot work.
  explicit thread_pool(thread_pool_options options)
      : threads_(checked(options.threads)), demand_(threads_), arena_(threads_, 0) {
    arena_.initialize();
  }

  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;

  ~thread_pool() {
    for (std::size_t left = unfinished_.load(std::memory_order_acquire); left != 0;
         left = unfinished_.load(std::memory_order_acquire)) {
      unfinished_.wait(left, std::memory_order_acquire);
    }
    arena_.terminate();
  }

  /// How many calls run at the same time.
  int threads() const noexcept { return threads_; }

  /// Which of its pool's threads runs this, from 0, inside a submitted call; -1 anywhere else.
  static int this_thread_index() noexcept {
    return detail::pool_call_depth > 0 ? tbb::this_task_arena::current_thread_index() : -1;
  }

  /// Runs `function(arguments...)` on the pool. Arguments are decayed and moved in.
  template <class F, class... Args>
  auto submit(F function, Args... arguments) {
    using result = std::invoke_result_t<F, Args...>;
    auto call = [function = std::move(function),
                 arguments = std::make_tuple(std::move(arguments)...)]() mutable -> result {
      return std::apply(std::move(function), std::move(arguments));
    };
    auto* shared = new detail::stored_call<result, decltype(call)>(std::move(call));
    future<result> handle(shared);
    enqueue(*shared);
    return handle;
  }

  /// Runs `function(arguments...)` on the pool, awaits it, and resumes on the awaiting coroutine's executor.
  template <class F, class... Args>
  task<std::invoke_result_t<F, Args...>> run(F function, Args... arguments) {
    auto result = submit(std::move(function), std::move(arguments)...);
    co_return co_await result.async_get();
  }

  /// Calls `function` with each item of a random-access range, in parallel, in chunks of automatic size, and
  /// returns the results in order. Blocks; the calling thread works too where the pool has a place for it. If
  /// a call throws, calls not yet started are dropped and one of the exceptions is rethrown.
  template <class F, std::ranges::random_access_range Range>
  auto map(F function, Range&& items) {
    using result = std::invoke_result_t<F&, std::ranges::range_reference_t<Range>>;
    const auto first = std::ranges::begin(items);
    const auto count = static_cast<std::int64_t>(std::ranges::distance(items));
    using difference = std::ranges::range_difference_t<Range>;
    if constexpr (std::is_void_v<result>) {
      for_range(0, count, [&](std::int64_t i) { std::invoke(function, first[static_cast<difference>(i)]); });
    } else {
      std::vector<std::optional<result>> slots(static_cast<std::size_t>(count));
      for_range(0, count, [&](std::int64_t i) {
        slots[static_cast<std::size_t>(i)].emplace(std::invoke(function, first[static_cast<difference>(i)]));
      });
      std::vector<result> results;
      results.reserve(slots.size());
      for (auto& slot : slots) results.push_back(std::move(*slot));
      return results;
    }
  }

  /// Calls `function(i)` for each i in [begin, end), in parallel. Blocks, as map() does; from one of the
  /// pool's own threads it works along and takes up nothing else meanwhile.
  template <class F>
  void for_range(std::int64_t begin, std::int64_t end, F function) {
    const auto loop = [&] {
      tbb::parallel_for(tbb::blocked_range<std::int64_t>(begin, end), [&](const auto& range) {
        for (std::int64_t i = range.begin(); i != range.end(); ++i) std::invoke(function, i);
      });
    };
    // Isolated, so that a thread that waits here does not start an unrelated call on top of this one.
    arena_.execute([&] { tbb::this_task_arena::isolate(loop); });
  }

  /// The arena, for code that uses oneTBB's algorithms directly.
  tbb::task_arena& arena() noexcept { return arena_; }

 private:
  static int checked(int threads) {
    if (threads < 0) {
      throw invalid_argument("thread_pool: threads is " + std::to_string(threads) +
                             ", it must be positive, or 0 for one per core");
    }
    if (threads > 0) return threads;
    const auto cores = static_cast<int>(std::thread::hardware_concurrency());
    return cores > 0 ? cores : 1;
  }

  // oneTBB takes enqueued tasks roughly in order, not exactly: its task only says that one more call may
  // start, and which one it is comes from a queue of our own.
  void enqueue(detail::shared_call& call) {
    call.retain();
    unfinished_.fetch_add(1, std::memory_order_relaxed);
    {
      const std::lock_guard lock(queue_mutex_);
      queue_.push_back(&call);
    }
    arena_.enqueue([this] {
      detail::shared_call& next = pop();
      next.run_if_queued();
      next.release();
      // The last thing to touch the pool: the destructor may go on from here.
      if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_all();
    });
  }

  detail::shared_call& pop() {
    const std::lock_guard lock(queue_mutex_);
    detail::shared_call& next = *queue_.front();
    queue_.pop_front();
    return next;
  }

  int threads_;
  detail::worker_demand demand_;
  std::atomic<std::size_t> unfinished_{0};
  std::mutex queue_mutex_;
  std::deque<detail::shared_call*> queue_;
  tbb::task_arena arena_;
};

}  // namespace weft
