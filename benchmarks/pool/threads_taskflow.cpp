#include "threads_workload.hpp"

#include <taskflow/algorithm/for_each.hpp>
#include <taskflow/taskflow.hpp>

#include <atomic>
#include <future>

namespace {

using namespace threads_benchmark;

tf::Executor& executor() {
  static tf::Executor workers(threads);
  return workers;
}

const bool registered = [] {
  add_case("empty_tasks/taskflow", tasks, [] {
    std::atomic<std::int64_t> sum{0};
    std::vector<decltype(executor().async([] {}))> calls;
    calls.reserve(tasks);
    for (std::int64_t i = 0; i < tasks; ++i) {
      calls.push_back(executor().async([&sum] { sum.fetch_add(1, std::memory_order_relaxed); }));
    }
    for (auto& call : calls) call.get();
    return sum.load() == tasks;
  });
  add_case("round_trip/taskflow", trips, [] {
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < trips; ++i) sum += executor().async([i] { return i; }).get();
    return sum == trips * (trips - 1) / 2;
  });
  add_maps("taskflow", [](const auto& items, auto function) {
    std::vector<std::uint64_t> results(items.size());
    tf::Taskflow flow;
    flow.for_each_index(std::size_t{0}, items.size(), std::size_t{1},
                        [&](std::size_t i) { results[i] = function(items[i]); });
    executor().run(flow).wait();
    return results;
  });
  return true;
}();

}  // namespace
