#pragma once

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

// Three stages: a serial source, work on two threads, and a serial sink that sees the results in order.
namespace pipeline_benchmark {

constexpr int threads = 2;
constexpr std::size_t tokens = 64;  // items, or batches, under way at a time, at most

/// Turns of the loop that take about one microsecond, measured once per process.
inline std::int64_t turns_per_microsecond();

/// Computes for a number of turns; nothing can be left out or done at once.
inline std::uint64_t churn(std::uint64_t value, std::int64_t turns) {
  for (std::int64_t i = 0; i < turns; ++i) value = (value ^ (value >> 29)) * 0xBF58476D1CE4E5B9U + 1;
  return value;
}

inline std::int64_t turns_per_microsecond() {
  static const std::int64_t measured = [] {
    using clock = std::chrono::steady_clock;
    constexpr std::int64_t turns = 2'000'000;
    auto best = std::chrono::nanoseconds::max();
    for (int i = 0; i < 20; ++i) {
      const auto begin = clock::now();
      benchmark::DoNotOptimize(churn(1, turns));
      best = std::min<std::chrono::nanoseconds>(best, clock::now() - begin);
    }
    return turns * 1000 / best.count();
  }();
  return measured;
}

struct workload {
  std::int64_t items;
  std::int64_t microseconds;  // of the parallel stage, an item
  std::int64_t batch = 1;     // how many items the parallel stage takes at a time

  std::int64_t turns() const { return microseconds * turns_per_microsecond(); }
  std::uint64_t first(std::int64_t i) const { return churn(static_cast<std::uint64_t>(i), 100); }
  std::uint64_t work(std::uint64_t value) const { return churn(value, turns()); }
  static std::uint64_t last(std::uint64_t sum, std::uint64_t value) { return churn(sum ^ value, 100); }
};

/// What all runtimes must compute: the sink depends on the order.
inline std::uint64_t expected(const workload& work) {
  std::uint64_t sum = 0;
  for (std::int64_t i = 0; i < work.items; ++i) sum = workload::last(sum, work.work(work.first(i)));
  return sum;
}

inline double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Cases `<microseconds>_us_items[_by_<batch>]/<runtime>`. The counter `limit` is what two threads could do
/// that lose no time; `useful` is the part of the processor time that went into the items' work.
inline void add_case(const char* runtime, workload work, std::function<std::uint64_t(const workload&)> run) {
  const std::string batch = work.batch == 1 ? "" : "_by_" + std::to_string(work.batch);
  const std::string name = std::to_string(work.microseconds) + "_us_items" + batch + "/" + runtime;
  benchmark::RegisterBenchmark(name.c_str(),
                               [work, run](benchmark::State& state) {
                                 const double begin_serial = processor_seconds();
                                 const std::uint64_t right = expected(work);
                                 const double serial = processor_seconds() - begin_serial;
                                 double used = 0;
                                 std::int64_t runs = 0;
                                 for (auto _ : state) {
                                   const double begin = processor_seconds();
                                   const std::uint64_t result = run(work);
                                   used += processor_seconds() - begin;
                                   ++runs;
                                   if (result != right) state.SkipWithError("wrong result");
                                 }
                                 state.SetItemsProcessed(runs * work.items);
                                 state.counters["limit"] = threads * static_cast<double>(work.items) / serial;
                                 state.counters["useful"] = serial * static_cast<double>(runs) / used;
                               })
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

inline std::vector<workload> cases() {
  return {{100'000, 2}, {20'000, 20}, {20'000, 20, 16}, {2'000, 200}};
}

}  // namespace pipeline_benchmark
