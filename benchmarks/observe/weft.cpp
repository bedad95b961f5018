// What it costs a program to report: counters, histograms, spans while nothing is traced and while it is.
#include <benchmark/benchmark.h>

#include <memory>  // for std::make_unique
#include <weft/observe.hpp>

namespace {

weft::counter items;
weft::histogram latencies;

void counter(benchmark::State& state) {
  for (auto _ : state) items.add();
}
BENCHMARK(counter)->Name("counter/weft")->ThreadRange(1, 2);

void histogram(benchmark::State& state) {
  double value = 1e-6;
  for (auto _ : state) {
    latencies.record(value);
    value = value < 1 ? value * 1.001 : 1e-6;
  }
}
BENCHMARK(histogram)->Name("histogram/weft")->ThreadRange(1, 2);

void span_off(benchmark::State& state) {
  for (auto _ : state) {
    weft::span work("work");
    benchmark::ClobberMemory();
  }
}
BENCHMARK(span_off)->Name("span_off/weft");

void start_trace(const benchmark::State&) {
  weft::trace::start("/dev/null", {.memory = std::size_t{1} << 28});
}

void stop_trace(const benchmark::State&) {
  weft::trace::stop();
}

// As many as the trace has memory for: dropping an event is cheaper than keeping it.
constexpr int kept_events = 1'000'000;

void fail_if_dropped(benchmark::State& state) {
  if (weft::trace::dropped() > 0) state.SkipWithError("events were dropped: this is not the cost of a span");
}

void span_on(benchmark::State& state) {
  for (auto _ : state) {
    weft::span work("work");
    benchmark::ClobberMemory();
  }
  fail_if_dropped(state);
}
BENCHMARK(span_on)
    ->Name("span_on/weft")
    ->Setup(start_trace)
    ->Teardown(stop_trace)
    ->Iterations(kept_events)
    ->ThreadRange(1, 2);

void span_with_argument_on(benchmark::State& state) {
  for (auto _ : state) {
    weft::span work("work", "bytes", 1.0);
    benchmark::ClobberMemory();
  }
  fail_if_dropped(state);
}
BENCHMARK(span_with_argument_on)
    ->Name("span_with_argument_on/weft")
    ->Setup(start_trace)
    ->Teardown(stop_trace)
    ->Iterations(kept_events);

void progress_add(benchmark::State& state) {
  static std::unique_ptr<weft::progress> bar;
  static std::FILE* const nowhere = std::fopen("/dev/null", "w");
  if (state.thread_index() == 0) {
    bar = std::make_unique<weft::progress>(
        std::int64_t{1} << 40, weft::progress_options{.mode = weft::progress_mode::bar, .out = nowhere});
  }
  for (auto _ : state) bar->add();
  if (state.thread_index() == 0) bar.reset();
}
BENCHMARK(progress_add)->Name("progress/weft");

}  // namespace

BENCHMARK_MAIN();
