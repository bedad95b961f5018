#include "threads_workload.hpp"

#include <BS_thread_pool.hpp>

#include <atomic>

namespace {

using namespace threads_benchmark;

auto& pool() {
  static BS::thread_pool workers(threads);
  return workers;
}

const bool registered = [] {
  add_case("empty_tasks/bs_thread_pool", tasks, [] {
    std::atomic<std::int64_t> sum{0};
    std::vector<std::future<void>> calls;
    calls.reserve(tasks);
    for (std::int64_t i = 0; i < tasks; ++i) {
      calls.push_back(pool().submit_task([&sum] { sum.fetch_add(1, std::memory_order_relaxed); }));
    }
    for (auto& call : calls) call.get();
    return sum.load() == tasks;
  });
  add_case("round_trip/bs_thread_pool", trips, [] {
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < trips; ++i) sum += pool().submit_task([i] { return i; }).get();
    return sum == trips * (trips - 1) / 2;
  });
  add_maps("bs_thread_pool", [](const auto& items, auto function) {
    std::vector<std::uint64_t> results(items.size());
    pool()
        .submit_loop(std::size_t{0}, items.size(), [&](std::size_t i) { results[i] = function(items[i]); })
        .wait();
    return results;
  });
  return true;
}();

}  // namespace
