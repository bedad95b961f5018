#include "threads_workload.hpp"

#include <weft/pool/thread_pool.hpp>

#include <atomic>

namespace {

using namespace threads_benchmark;

weft::thread_pool& pool() {
  static weft::thread_pool workers(threads);
  return workers;
}

const bool registered = [] {
  add_case("empty_tasks/weft", tasks, [] {
    std::atomic<std::int64_t> sum{0};
    std::vector<weft::future<void>> calls;
    calls.reserve(tasks);
    for (std::int64_t i = 0; i < tasks; ++i) {
      calls.push_back(pool().submit([&sum] { sum.fetch_add(1, std::memory_order_relaxed); }));
    }
    for (auto& call : calls) call.get();
    return sum.load() == tasks;
  });
  add_case("round_trip/weft", trips, [] {
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < trips; ++i) sum += pool().submit([i] { return i; }).get();
    return sum == trips * (trips - 1) / 2;
  });
  add_maps("weft", [](const auto& items, auto function) { return pool().map(function, items); });
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
