#pragma once

// The work that every runtime does in this problem: producers push numbered items through one bounded queue
// to consumers, and the sum that arrives is checked. A runtime adds its cases with
// add_case("<topology>_<capacity>",
// "<runtime>", function); the function moves `items` items through a queue of `capacity` and returns their
// sum.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace queue_benchmark {

/// 600 KB, like 64 pictures of 50 x 50 x 3 bytes and their labels; moved, never copied.
using payload = std::vector<std::uint8_t>;
inline constexpr std::size_t payload_bytes = 600 * 1024;

struct workload {
  int producers = 1;
  int consumers = 1;
  int threads = 1;
  std::size_t capacity = 1024;
  std::int64_t items = 0;

  std::int64_t per_producer() const { return items / producers; }
  std::int64_t per_consumer() const { return items / consumers; }
  /// What the consumers' sum must be: each producer sends 0, 1, ... per_producer() - 1.
  std::int64_t expected_sum() const { return producers * (per_producer() * (per_producer() - 1) / 2); }
};

/// The cases that every runtime is measured in.
inline const std::vector<std::pair<std::string, workload>>& cases() {
  static const std::vector<std::pair<std::string, workload>> all{
      {"1_thread_1p1c_capacity_10", {1, 1, 1, 10, 200'000}},
      {"1_thread_1p1c_capacity_1024", {1, 1, 1, 1024, 200'000}},
      {"2_threads_1p1c_capacity_10", {1, 1, 2, 10, 200'000}},
      {"2_threads_1p1c_capacity_1024", {1, 1, 2, 1024, 400'000}},
      {"2_threads_4p4c_capacity_10", {4, 4, 2, 10, 200'000}},
      {"2_threads_4p4c_capacity_1024", {4, 4, 2, 1024, 400'000}},
  };
  return all;
}

inline void add_case(const std::string& name, const std::string& runtime, const workload& work,
                     std::function<std::int64_t(const workload&)> pass) {
  benchmark::RegisterBenchmark((name + "/" + runtime).c_str(),
                               [work, pass = std::move(pass)](benchmark::State& state) {
                                 for (auto _ : state) {
                                   if (pass(work) != work.expected_sum()) {
                                     state.SkipWithError("items were lost or repeated");
                                     return;
                                   }
                                 }
                                 state.SetItemsProcessed(state.iterations() * work.items);
                               })
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

}  // namespace queue_benchmark
