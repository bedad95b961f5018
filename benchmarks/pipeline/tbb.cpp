#include "workload.hpp"

#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <iterator>
#include <vector>

namespace {

using namespace pipeline_benchmark;

std::uint64_t run_pipeline(const workload& work) {
  std::uint64_t sum = 0;
  std::int64_t next = 0;
  tbb::task_arena arena(threads);
  arena.execute([&] {
    tbb::parallel_pipeline(
        tokens, tbb::make_filter<void, std::uint64_t>(tbb::filter_mode::serial_in_order,
                                                      [&](tbb::flow_control& control) -> std::uint64_t {
                                                        if (next == work.items) {
                                                          control.stop();
                                                          return 0;
                                                        }
                                                        return work.first(next++);
                                                      }) &
                    tbb::make_filter<std::uint64_t, std::uint64_t>(
                        tbb::filter_mode::parallel, [&](std::uint64_t value) { return work.work(value); }) &
                    tbb::make_filter<std::uint64_t, void>(
                        tbb::filter_mode::serial_in_order,
                        [&](std::uint64_t value) { sum = workload::last(sum, value); }));
  });
  return sum;
}

std::uint64_t run_pipeline_in_batches(const workload& work) {
  using values = std::vector<std::uint64_t>;
  std::uint64_t sum = 0;
  std::int64_t next = 0;
  tbb::task_arena arena(threads);
  arena.execute([&] {
    tbb::parallel_pipeline(
        tokens,
        tbb::make_filter<void, values>(tbb::filter_mode::serial_in_order, [&](tbb::flow_control& control) {
          values some;
          if (next == work.items) {
            control.stop();
            return some;
          }
          some.reserve(static_cast<std::size_t>(work.batch));
          while (next != work.items && std::ssize(some) != work.batch) some.push_back(work.first(next++));
          return some;
        }) & tbb::make_filter<values, values>(tbb::filter_mode::parallel, [&](values some) {
          for (std::uint64_t& value : some) value = work.work(value);
          return some;
        }) & tbb::make_filter<values, void>(tbb::filter_mode::serial_in_order, [&](const values& some) {
          for (const std::uint64_t value : some) sum = workload::last(sum, value);
        }));
  });
  return sum;
}

const bool registered = [] {
  for (const workload& each : cases())
    add_case("tbb_parallel_pipeline", each, each.batch == 1 ? run_pipeline : run_pipeline_in_batches);
  return true;
}();

}  // namespace
