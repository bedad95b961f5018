// prometheus-cpp's metrics; its histogram with the 14 buckets of Prometheus's defaults and more.
#include <benchmark/benchmark.h>
#include <prometheus/counter.h>
#include <prometheus/histogram.h>

namespace {

prometheus::Counter items;
prometheus::Histogram latencies({1e-6, 1e-5, 1e-4, .001, .005, .01, .025, .05, .075, .1, .25, .5, .75, 1});

void counter(benchmark::State& state) {
  for (auto _ : state) items.Increment();
}
BENCHMARK(counter)->Name("counter/prometheus")->ThreadRange(1, 2);

void histogram(benchmark::State& state) {
  double value = 1e-6;
  for (auto _ : state) {
    latencies.Observe(value);
    value = value < 1 ? value * 1.001 : 1e-6;
  }
}
BENCHMARK(histogram)->Name("histogram/prometheus")->ThreadRange(1, 2);

}  // namespace
