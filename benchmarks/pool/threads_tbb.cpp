#include "threads_workload.hpp"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <atomic>

// task_arena::enqueue gives nothing back: to know when a task has ended, it counts down what the other side
// waits for, and a result goes into a place made for it.
namespace {

using namespace threads_benchmark;

tbb::task_arena& arena() {
  static const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads + 1);
  static tbb::task_arena workers(threads, 0);
  return workers;
}

void wait_for(std::atomic<std::int64_t>& left) {
  for (std::int64_t now = left.load(); now != 0; now = left.load()) left.wait(now);
}

const bool registered = [] {
  add_case("empty_tasks/tbb_enqueue", tasks, [] {
    std::atomic<std::int64_t> sum{0};
    std::atomic<std::int64_t> left{tasks};
    for (std::int64_t i = 0; i < tasks; ++i) {
      arena().enqueue([&] {
        sum.fetch_add(1, std::memory_order_relaxed);
        if (left.fetch_sub(1) == 1) left.notify_one();
      });
    }
    wait_for(left);
    return sum.load() == tasks;
  });
  add_case("round_trip/tbb_enqueue", trips, [] {
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < trips; ++i) {
      std::atomic<std::int64_t> left{1};
      std::int64_t result = 0;
      arena().enqueue([&, i] {
        result = i;
        left.store(0);
        left.notify_one();
      });
      wait_for(left);
      sum += result;
    }
    return sum == trips * (trips - 1) / 2;
  });
  add_maps("tbb_parallel_for", [](const auto& items, auto function) {
    std::vector<std::uint64_t> results(items.size());
    arena().execute([&] {
      tbb::parallel_for(tbb::blocked_range<std::size_t>(0, items.size()), [&](const auto& range) {
        for (std::size_t i = range.begin(); i != range.end(); ++i) results[i] = function(items[i]);
      });
    });
    return results;
  });
  return true;
}();

}  // namespace
