#pragma once

#include <weft/core/error.hpp>
#include <weft/observe/trace.hpp>
#include <weft/pool/detail/call_queue.hpp>
#include <weft/pool/detail/map_results.hpp>
#include <weft/pool/detail/pinned_threads.hpp>
#include <weft/pool/detail/pool_gauges.hpp>
#include <weft/pool/detail/shared_loop.hpp>
#include <weft/pool/detail/thread_call.hpp>
#include <weft/pool/future.hpp>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>    // for std::find
#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::int64_t
#include <exception>    // for std::exception_ptr
#include <functional>   // for std::invoke
#include <iterator>     // for std::begin
#include <memory>       // for std::unique_ptr
#include <mutex>        // for std::mutex
#include <new>          // for std::nothrow
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
  /// Number of threads; 0 for one per core, or one for each of `cpus`, or one per core of `numa_node`.
  int threads = 0;
  /// What the pool is called in traces and metrics.
  std::string name = "pool";
  /// Logical processors to bind the threads to: thread i runs on cpus[i % cpus.size()] and nowhere else.
  /// None: the operating system decides. A thread that calls for_range() is not bound.
  std::vector<int> cpus = {};
  /// The NUMA node whose processors run the threads, as the operating system counts them; -1 for any. Needs
  /// oneTBB's libtbbbind and hwloc at run time (Debian: libtbbbind-2-5).
  int numa_node = -1;
};

/// Threads that run plain functions: concurrent.futures' ThreadPoolExecutor, over a oneTBB arena.
///
/// Calls start in the order they were submitted, unless with_priority() says otherwise. A thread of the pool
/// may use the pool: what it waits for and nobody has begun it runs itself, so waiting cannot deadlock even
/// with one thread, as long as the calls do not wait for each other in a circle.
///
/// The destructor blocks: it runs what is still queued, then joins; cancel_queued() first if that is not
/// wanted. It must not run on one of the pool's own threads.
///
/// metrics() has the gauges weft_pool_queued_calls and weft_pool_running_calls with the label `pool`, the
/// pool's name. A call that waits and runs another one meanwhile counts once.
///
/// Thread safety: distinct objects safe; shared objects safe.
/// Cancellation: future::cancel() for a submitted call; run() as future::async_get(); async_map().
class thread_pool {
 public:
  class prioritized;

  /// @param threads how many, 0 for one per core; throws invalid_argument if negative
  explicit thread_pool(int threads = 0) : thread_pool(thread_pool_options{.threads = threads}) {}

  /// Throws invalid_argument if an option cannot work.
  explicit thread_pool(thread_pool_options options)
      : threads_(checked(options)),
        demand_(threads_),
        name_(trace::intern(options.name)),
        queue_(threads_),
        arena_(tbb::task_arena::constraints(options.numa_node, threads_), 0),
        gauges_(options.name, [this] {
          return detail::pool_load{queue_.size(), static_cast<std::size_t>(queue_.busy())};
        }) {
    arena_.initialize();
    if (!options.cpus.empty() || (detail::pinned_threads::in_use() && options.numa_node < 0)) {
      pinned_.emplace(arena_, std::move(options.cpus));
    }
  }

  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;

  ~thread_pool() {
    queue_.wait_until_drained();
    arena_.terminate();
  }

  /// How many calls run at the same time.
  int threads() const noexcept { return threads_; }

  /// How many calls wait for a thread: submitted and not begun by one of the pool's.
  std::size_t queued() const noexcept { return queue_.size(); }

  /// Which of its pool's threads runs this, from 0, inside a submitted call; -1 anywhere else.
  static int this_thread_index() noexcept {
    return detail::this_thread_pool != nullptr ? tbb::this_task_arena::current_thread_index() : -1;
  }

  /// Runs `function(arguments...)` on the pool. Arguments are decayed and moved in. Where oneTBB has no
  /// memory to start a thread with and none runs that would come to it, the call fails with std::bad_alloc.
  template <class F, class... Args>
  future<std::invoke_result_t<F, Args...>> submit(F function, Args... arguments) {
    return submit_at(queue_.normal(), std::move(function), std::move(arguments)...);
  }

  /// Runs `function(arguments...)` on the pool, awaits it, and resumes on the awaiting coroutine's executor.
  template <class F, class... Args>
  task<std::invoke_result_t<F, Args...>> run(F function, Args... arguments) {
    auto result = submit(std::move(function), std::move(arguments)...);
    co_return co_await result.async_get();
  }

  /// The pool with another priority for what is submitted through it: `pool.with_priority(5).submit(f)`. A
  /// higher number starts first, 0 is that of the pool itself, and equal ones start in order. Calls of a
  /// lower priority wait as long as there are others: they may wait for ever. A pool remembers every number
  /// that was used; use few.
  inline prioritized with_priority(int priority);

  /// Calls `function` with each item of a random-access range, in parallel, in chunks of automatic size, and
  /// returns the results in order. Blocks; otherwise as for_range().
  template <class F, std::ranges::random_access_range Range>
  auto map(F function, Range&& items) {
    using result = std::invoke_result_t<F&, std::ranges::range_reference_t<Range>>;
    using difference = std::ranges::range_difference_t<Range>;
    const auto first = std::ranges::begin(items);
    const auto count = static_cast<std::int64_t>(std::ranges::distance(items));
    if constexpr (std::is_void_v<result>) {
      for_range(0, count, [&](std::int64_t i) { std::invoke(function, first[static_cast<difference>(i)]); });
    } else {
      detail::map_results<result> results(count);
      for_range(0, count, [&](std::int64_t i) {
        results.put(i, [&] { return std::invoke(function, first[static_cast<difference>(i)]); });
      });
      return results.take();
    }
  }

  /// As map(), awaited: the calls run on the pool's threads, and the coroutine resumes on its own executor.
  /// The items are moved in; to have them borrowed, pass a view such as std::span.
  ///
  /// Cancellation: items not yet begun are left out, those that run are waited for, and then `cancelled` is
  /// thrown.
  template <class F, std::ranges::random_access_range Range>
  task<detail::mapped_t<F, Range>> async_map(F function, Range items) {
    return async_map_at(queue_.normal(), std::move(function), std::move(items));
  }

  /// Calls `function(i)` for each i in [begin, end), in parallel, in chunks of automatic size. Blocks; the
  /// calling thread works along as one of threads(), and threads of the pool that have nothing else to do
  /// join it, so that it gets on whatever the pool is busy with. Inside a call of a pool it does not start an
  /// unrelated call meanwhile. If a call throws, chunks not yet started are dropped and one of the exceptions
  /// is rethrown.
  template <class F>
  void for_range(std::int64_t begin, std::int64_t end, F function) {
    const auto one = [&function](std::int64_t i) { std::invoke(function, i); };
    detail::indexed_loop loop(begin, end, threads_, one);
    run_loop(loop);
  }

  /// Cancels every call that waits for a thread: its future throws `cancelled`. Returns how many there were.
  /// With the destructor after it, this is shutdown(cancel_futures=True).
  std::size_t cancel_queued() noexcept {
    return queue_.take_all([](detail::queued_call& item) {
      item.call->cancel();
      item.call->release();
    });
  }

  /// The arena, for code that uses oneTBB's algorithms directly.
  tbb::task_arena& arena() noexcept { return arena_; }

 private:
  // A thread that has run so many calls in a row gives what others put into the arena its turn.
  static constexpr int calls_in_a_row = 256;

  static int checked(const thread_pool_options& options) {
    const auto refuse = [](const std::string& reason) { throw invalid_argument("thread_pool: " + reason); };
    if (options.threads < 0) {
      refuse("threads is " + std::to_string(options.threads) +
             ", it must be positive, or 0 for one per core");
    }
    if (options.numa_node >= 0 && !options.cpus.empty()) {
      refuse("both cpus and numa_node are given; cpus alone says where the threads run");
    }
    for (const int cpu : options.cpus) {
      if (!detail::pinned_threads::usable(cpu)) {
        refuse("cpus names processor " + std::to_string(cpu) + ", which this process may not use");
      }
    }
    if (options.numa_node != -1) require_node(options.numa_node);
    if (options.threads > 0) return options.threads;
    if (!options.cpus.empty()) return static_cast<int>(options.cpus.size());
    if (options.numa_node >= 0) return tbb::info::default_concurrency(options.numa_node);
    const auto cores = static_cast<int>(std::thread::hardware_concurrency());
    return cores > 0 ? cores : 1;
  }

  static void require_node(int node) {
    const auto nodes = tbb::info::numa_nodes();
    if (node >= 0 && std::find(nodes.begin(), nodes.end(), node) != nodes.end()) return;
    std::string known;
    for (const auto each : nodes) known += (known.empty() ? "" : ", ") + std::to_string(each);
    throw invalid_argument("thread_pool: numa_node is " + std::to_string(node) +
                           (nodes.front() < 0
                                ? ", but oneTBB sees no NUMA nodes here: it needs libtbbbind and "
                                  "hwloc (Debian: libtbbbind-2-5)"
                                : ", it must be -1 for any, or one of " + known));
  }

  template <class F, class... Args>
  future<std::invoke_result_t<F, Args...>> submit_at(detail::call_level& level, F function,
                                                     Args... arguments) {
    using result = std::invoke_result_t<F, Args...>;
    if constexpr (sizeof...(Args) == 0) {
      return start<result>(level, std::move(function));
    } else {
      return start<result>(level,
                           [function = std::move(function),
                            arguments = std::make_tuple(std::move(arguments)...)]() mutable -> result {
                             return std::apply(std::move(function), std::move(arguments));
                           });
    }
  }

  template <class R, class Call>
  future<R> start(detail::call_level& level, Call call) {
    auto* shared = new detail::thread_call<R, Call>(this, name_.c_str(), std::move(call));
    future<R> handle(shared);
    if (trace::enabled()) [[unlikely]] {
      detail::trace_submission(*shared);
    }
    shared->retain();
    enqueue(level, *shared);
    return handle;
  }

  // Adopts one reference of the call.
  void enqueue(detail::call_level& level, detail::queued_call& call) {
    call.level = &level;
    if (queue_.push(call)) activate_or_resign();
  }

  // oneTBB takes enqueued tasks roughly in order, not exactly, and each costs an allocation and perhaps a
  // wake-up. So a task of its is a thread that drains our own queue, and there are at most threads_ of them.
  // Returns what oneTBB threw.
  std::exception_ptr activate() noexcept {
    try {
      arena_.enqueue([this] { drain(); });
    } catch (...) {
      return std::current_exception();
    }
    return nullptr;
  }

  void activate_or_resign() noexcept {
    const std::exception_ptr failure = activate();
    if (!failure) return;
    queue_.resign([&failure](detail::queued_call& item) {
      item.call->abandon(failure);
      item.call->release();
    });
  }

  void drain() {
    const detail::inside_pool inside(this);
    if (trace::enabled()) [[unlikely]] {
      name_this_thread();
    }
    do {
      for (int i = 0; i < calls_in_a_row; ++i) {
        bool one_more = false;
        detail::queued_call* next = queue_.pop(one_more);
        if (next == nullptr) return;  // the pool may be gone
        if (one_more) activate_or_resign();
        next->call->run_if_queued();
        next->call->release();
      }
    } while (activate());
  }

  void name_this_thread() const {
    static thread_local bool named = false;
    if (std::exchange(named, true)) return;
    trace::name_thread(std::string(name_.c_str()) + " " + std::to_string(this_thread_index()));
  }

  void run_loop(detail::shared_loop& loop) {
    std::vector<detail::loop_helper*> helpers;
    if (loop.most_helpers() > 0) helpers.reserve(static_cast<std::size_t>(loop.most_helpers()));
    {
      const detail::inside_pool inside;
      detail::shared_loop::chunk part;
      while (loop.take(part)) {
        invite(loop, helpers);
        loop.run(part);
      }
    }
    for (detail::loop_helper* helper : helpers) {
      helper->run_if_queued();  // finds nothing to do
      helper->wait();
      helper->release();
    }
    loop.rethrow();
  }

  // Only idle threads: invitations that nobody can follow would pile up in the queue.
  void invite(detail::shared_loop& loop, std::vector<detail::loop_helper*>& helpers) {
    while (static_cast<std::int64_t>(helpers.size()) < loop.most_helpers() && queue_.idle()) {
      auto* helper = new (std::nothrow) detail::loop_helper(loop);
      if (helper == nullptr) return;
      helpers.push_back(helper);
      helper->retain();
      enqueue(queue_.normal(), *helper);
    }
  }

  template <class F, class Range>
  task<detail::mapped_t<F, Range>> async_map_at(detail::call_level& level, F function, Range items) {
    using result = std::invoke_result_t<F&, std::ranges::range_reference_t<Range>>;
    using difference = std::ranges::range_difference_t<Range>;
    const auto first = std::ranges::begin(items);
    const auto count = static_cast<std::int64_t>(std::ranges::distance(items));
    std::conditional_t<std::is_void_v<result>, detail::no_results, detail::map_results<result>> results(
        count);
    const auto one = [&](std::int64_t i) {
      const auto make = [&] { return std::invoke(function, first[static_cast<difference>(i)]); };
      if constexpr (std::is_void_v<result>) {
        make();
      } else {
        results.put(i, make);
      }
    };
    detail::indexed_loop loop(0, count, threads_, one);
    const auto whole = [this, &loop] { run_loop(loop); };
    auto done = submit_at(level, whole);
    const auto stop = [&loop] { loop.stop(); };
    co_await done.get_or_stop(stop);
    if constexpr (!std::is_void_v<result>) co_return results.take();
  }

  int threads_;
  detail::worker_demand demand_;
  trace_name name_;
  detail::call_queue queue_;
  tbb::task_arena arena_;
  std::optional<detail::pinned_threads> pinned_;
  const detail::pool_gauges gauges_;
};

/// A thread_pool as with_priority() gives it: what is submitted through it has that priority. It must not
/// outlive the pool.
///
/// Thread safety: as the pool's. Cancellation: as the pool's.
class thread_pool::prioritized {
 public:
  /// As thread_pool::submit().
  template <class F, class... Args>
  future<std::invoke_result_t<F, Args...>> submit(F function, Args... arguments) {
    return pool_->submit_at(*level_, std::move(function), std::move(arguments)...);
  }

  /// As thread_pool::run().
  template <class F, class... Args>
  task<std::invoke_result_t<F, Args...>> run(F function, Args... arguments) {
    // Not a coroutine on *this, which is mostly a temporary.
    return run_on(*this, std::move(function), std::move(arguments)...);
  }

  /// As thread_pool::async_map(); all of it starts with this priority.
  template <class F, std::ranges::random_access_range Range>
  task<detail::mapped_t<F, Range>> async_map(F function, Range items) {
    return pool_->async_map_at(*level_, std::move(function), std::move(items));
  }

  /// As thread_pool::threads().
  int threads() const noexcept { return pool_->threads(); }

 private:
  friend class thread_pool;
  prioritized(thread_pool& pool, detail::call_level& level) : pool_(&pool), level_(&level) {}

  template <class F, class... Args>
  static task<std::invoke_result_t<F, Args...>> run_on(prioritized self, F function, Args... arguments) {
    auto result = self.submit(std::move(function), std::move(arguments)...);
    co_return co_await result.async_get();
  }

  thread_pool* pool_;
  detail::call_level* level_;
};

inline thread_pool::prioritized thread_pool::with_priority(int priority) {
  return {*this, queue_.level(priority)};
}

}  // namespace weft
