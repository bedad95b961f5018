#include "workload.hpp"

#include <weft/async/gather.hpp>
#include <weft/async/queue.hpp>
#include <weft/async/run.hpp>
#include <weft/async/stream.hpp>
#include <weft/pool/thread_pool.hpp>

#include <chrono>
#include <optional>
#include <vector>

namespace {

using namespace pipeline_benchmark;

/// The numbers from 0, as a range.
struct indices {
  struct iterator {
    using value_type = std::int64_t;
    using difference_type = std::int64_t;
    std::int64_t operator*() const { return at; }
    iterator& operator++() {
      ++at;
      return *this;
    }
    void operator++(int) { ++at; }
    bool operator==(const iterator& other) const { return at == other.at; }
    std::int64_t at = 0;
  };
  iterator begin() const { return {0}; }
  iterator end() const { return {count}; }
  std::int64_t count;
};

std::uint64_t run_pipeline(const workload& work) {
  static weft::thread_pool pool(threads);
  const weft::map_options options{.concurrency = threads, .order = weft::ordered, .buffer = tokens};
  const auto first = [&](std::int64_t i) { return work.first(i); };
  const auto middle = [&](std::uint64_t value) { return work.work(value); };
  return weft::run<std::uint64_t>(weft::from(indices{work.items}) | weft::map(first) |
                                  weft::map(pool, middle, options) |
                                  weft::reduce(std::uint64_t{0}, workload::last));
}

std::uint64_t run_pipeline_in_batches(const workload& work) {
  static weft::thread_pool pool(threads);
  const weft::map_options options{.concurrency = threads, .order = weft::ordered, .buffer = tokens};
  const auto first = [&](std::int64_t i) { return work.first(i); };
  const auto middle = [&](std::vector<std::uint64_t> values) {
    for (std::uint64_t& value : values) value = work.work(value);
    return values;
  };
  const auto last = [](std::uint64_t sum, const std::vector<std::uint64_t>& values) {
    for (const std::uint64_t value : values) sum = workload::last(sum, value);
    return sum;
  };
  return weft::run<std::uint64_t>(weft::from(indices{work.items}) | weft::map(first) |
                                  weft::batch(static_cast<std::size_t>(work.batch)) |
                                  weft::map(pool, middle, options) | weft::reduce(std::uint64_t{0}, last));
}

// ---- the cost of one stage: what eight stages more cost an item, against an item's way through a queue
// --------

constexpr std::int64_t hops = 200'000;

template <class Stream>
double seconds_of(Stream items) {
  const auto begin = std::chrono::steady_clock::now();
  const auto sum = weft::run<std::uint64_t>(
      std::move(items) |
      weft::reduce(std::uint64_t{0}, [](std::uint64_t all, std::uint64_t i) { return all + i; }));
  benchmark::DoNotOptimize(sum);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void cost_of_a_stage(benchmark::State& state) {
  const auto add = weft::map([](std::uint64_t i) { return i + 1; });
  const auto start =
      weft::from(indices{hops}) | weft::map([](std::int64_t i) { return static_cast<std::uint64_t>(i); });
  for (auto _ : state) {
    const double few = seconds_of(start);
    const double many = seconds_of(start | add | add | add | add | add | add | add | add);
    state.SetIterationTime(std::max(many - few, 0.0) / 8 / hops);
  }
}

weft::task<> produce(weft::queue<std::uint64_t>& out) {
  for (std::int64_t i = 0; i < hops; ++i) co_await out.push(static_cast<std::uint64_t>(i));
  out.close();
}

weft::task<> consume(weft::queue<std::uint64_t>& in) {
  std::uint64_t sum = 0;
  while (true) {
    const std::optional<std::uint64_t> item = co_await in.pop();
    if (!item) break;
    sum += *item;
  }
  benchmark::DoNotOptimize(sum);
}

weft::task<> produce_and_consume() {
  weft::queue<std::uint64_t> items(1024);
  co_await weft::gather(produce(items), consume(items));
}

void cost_of_a_queue_hop(benchmark::State& state) {
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    weft::run(produce_and_consume());
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
    state.SetIterationTime(passed.count() / hops);
  }
}

const bool registered = [] {
  for (const workload& each : cases()) {
    add_case("weft", each, each.batch == 1 ? run_pipeline : run_pipeline_in_batches);
  }
  benchmark::RegisterBenchmark("one_stage/weft", cost_of_a_stage)->UseManualTime()->Iterations(20);
  benchmark::RegisterBenchmark("one_stage/queue_hop", cost_of_a_queue_hop)->UseManualTime()->Iterations(20);
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
