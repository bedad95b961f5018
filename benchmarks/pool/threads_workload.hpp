#pragma once

// What every runtime does on two threads. A runtime adds its cases as "<case>/<runtime>".
//
// empty_tasks: one thread hands over functions that do next to nothing, one by one, and then waits for all.
// round_trip:  it waits for each before it hands over the next.
// map_1M:      a short function of each of a million items, the results in order.
// map_1k:      the same of a thousand items that take about 20 us each.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace threads_benchmark {

inline constexpr int threads = 2;
inline constexpr std::int64_t tasks = 100'000;
inline constexpr std::int64_t trips = 2'000;

/// Something that depends on the item and cannot be left out.
inline std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31);
}

inline std::uint64_t mix_long(std::uint64_t value) {
  for (int i = 0; i < 4'000; ++i) value = mix(value + 1);
  return value;
}

inline std::vector<std::uint64_t> numbers(std::size_t count) {
  std::vector<std::uint64_t> items(count);
  for (std::size_t i = 0; i < count; ++i) items[i] = i;
  return items;
}

/// `run()` is one whole round of `items`; it returns whether everything was done.
template <class Run>
void add_case(const std::string& name, std::int64_t items, Run run) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [run, items](benchmark::State& state) {
                                 for (auto _ : state) {
                                   if (!run()) state.SkipWithError("something was not done");
                                 }
                                 state.SetItemsProcessed(state.iterations() * items);
                               })
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

/// `map(items, function)` gives the results in order.
template <class Map>
void add_maps(const std::string& runtime, Map map) {
  const auto add = [&](const std::string& name, std::size_t count, auto function) {
    add_case(name + "/" + runtime, static_cast<std::int64_t>(count), [map, function, items = numbers(count)] {
      const std::vector<std::uint64_t> results = map(items, function);
      for (std::size_t i = 0; i < items.size(); i += items.size() / 8) {
        if (results[i] != function(items[i])) return false;
      }
      return results.size() == items.size();
    });
  };
  add("map_1M", 1'000'000, [](std::uint64_t item) { return mix(item); });
  add("map_1k", 1'000, [](std::uint64_t item) { return mix_long(item); });
}

}  // namespace threads_benchmark
