// The same with what the standard library has: shared atomics, and the clock readings that any span must pay.
#include <benchmark/benchmark.h>

#include <array>    // for std::array
#include <atomic>   // for std::atomic
#include <chrono>   // for std::chrono::steady_clock
#include <cmath>    // for std::ilogb
#include <cstdint>  // for std::uint64_t

namespace {

std::atomic<std::uint64_t> items;

void counter(benchmark::State& state) {
  for (auto _ : state) items.fetch_add(1, std::memory_order_relaxed);
}
BENCHMARK(counter)->Name("counter/atomic")->ThreadRange(1, 2);

// One bucket a power of two, and the sum: the least that a histogram can be.
struct {
  std::array<std::atomic<std::uint64_t>, 64> counts;
  std::atomic<double> sum;
} latencies;

void histogram(benchmark::State& state) {
  double value = 1e-6;
  for (auto _ : state) {
    latencies.counts[static_cast<std::size_t>(std::ilogb(value) + 32) & 63].fetch_add(
        1, std::memory_order_relaxed);
    latencies.sum.fetch_add(value, std::memory_order_relaxed);
    value = value < 1 ? value * 1.001 : 1e-6;
  }
}
BENCHMARK(histogram)->Name("histogram/atomic")->ThreadRange(1, 2);

void nothing(benchmark::State& state) {
  for (auto _ : state) benchmark::ClobberMemory();
}
BENCHMARK(nothing)->Name("span_off/empty_loop");

void two_clock_readings(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(std::chrono::steady_clock::now());
    benchmark::DoNotOptimize(std::chrono::steady_clock::now());
  }
}
BENCHMARK(two_clock_readings)->Name("span_on/two_clock_readings")->Iterations(1'000'000)->ThreadRange(1, 2);

}  // namespace
