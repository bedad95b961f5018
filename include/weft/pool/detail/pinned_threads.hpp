#pragma once

#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_scheduler_observer.h>

#include <sched.h>   // for sched_setaffinity, cpu_set_t
#include <unistd.h>  // for getpid, gettid

#include <atomic>   // for std::atomic
#include <cstddef>  // for std::size_t
#include <utility>  // for std::move
#include <vector>   // for std::vector

namespace weft::detail {

/// Binds oneTBB's thread in each place of an arena to one logical processor while it is there; it may then
/// run again wherever the program may. Threads that only visit the arena are left alone.
///
/// A thread inherits what its maker is bound to, and oneTBB's threads make each other: once there is a pool
/// of bound threads, the others need one of these too, with no processors, which frees what comes in.
class pinned_threads final : public tbb::task_scheduler_observer {
 public:
  /// @param cpus the thread in place i gets cpus[i % cpus.size()]; empty: any that the program may use
  pinned_threads(tbb::task_arena& arena, std::vector<int> cpus)
      : tbb::task_scheduler_observer(arena),
        cpus_(std::move(cpus)),
        threads_(static_cast<std::size_t>(arena.max_concurrency()) + 1) {  // an arena of one has two places
    // The main thread's, which is nobody's place.
    if (sched_getaffinity(getpid(), sizeof any_, &any_) != 0) CPU_ZERO(&any_);
    if (!cpus_.empty()) in_use_.store(true, std::memory_order_relaxed);
    observe(true);
  }
  pinned_threads(const pinned_threads&) = delete;
  pinned_threads& operator=(const pinned_threads&) = delete;
  ~pinned_threads() override {
    observe(false);
    // A thread that has not left yet is not told any more when it does.
    for (const pid_t thread : threads_) {
      if (thread != 0) sched_setaffinity(thread, sizeof any_, &any_);
    }
  }

  /// Whether any pool of this process has had bound threads.
  static bool in_use() noexcept { return in_use_.load(std::memory_order_relaxed); }

  /// Whether this process may use a processor.
  static bool usable(int cpu) noexcept {
    cpu_set_t allowed;
    return cpu >= 0 && cpu < CPU_SETSIZE && sched_getaffinity(getpid(), sizeof allowed, &allowed) == 0 &&
           CPU_ISSET(static_cast<std::size_t>(cpu), &allowed);
  }

 private:
  // Threads take a place one after the other, so that each has its own to itself in here.
  void on_scheduler_entry(bool is_worker) override {
    const auto place = static_cast<std::size_t>(tbb::this_task_arena::current_thread_index());
    if (!is_worker || place >= threads_.size()) return;
    cpu_set_t bound = any_;
    if (!cpus_.empty()) {
      CPU_ZERO(&bound);
      CPU_SET(static_cast<std::size_t>(cpus_[place % cpus_.size()]), &bound);
      threads_[place] = gettid();
    }
    sched_setaffinity(0, sizeof bound, &bound);
  }

  void on_scheduler_exit(bool is_worker) override {
    const auto place = static_cast<std::size_t>(tbb::this_task_arena::current_thread_index());
    if (!is_worker || place >= threads_.size() || threads_[place] == 0) return;
    threads_[place] = 0;
    sched_setaffinity(0, sizeof any_, &any_);
  }

  inline static std::atomic<bool> in_use_{false};

  cpu_set_t any_;
  std::vector<int> cpus_;
  std::vector<pid_t> threads_;  // the bound thread in each place; 0 for nobody
};

}  // namespace weft::detail
