// Paths of a geometric Brownian motion in float on a GPU, random numbers included, beside what its arithmetic
// allows by the compiled code: docs/market.md has the count.

#include "own_mean.hpp"

#include <weft/compute/any_executor.hpp>
#include <weft/compute/cuda_device.hpp>
#include <weft/core/error.hpp>
#include <weft/market/brownian_motion.hpp>
#include <weft/market/closed_form.hpp>
#include <weft/market/monte_carlo.hpp>
#include <weft/observe/stopwatch.hpp>

#include <cuda_runtime_api.h>
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <vector>

namespace {

using weft::estimate;
using weft::monte_carlo_options;

const weft::geometric_brownian model{.rate = 0.03, .assets = {{.spot = 100, .volatility = 0.2}}};
const weft::market_terms terms{.spot = 100, .rate = 0.03, .volatility = 0.2, .maturity = 1.0};
constexpr std::int64_t steps = 252;
constexpr double price_of_mean = 5.300;  // within 0.001

struct gpu_case {
  const char* name;
  std::function<estimate(const monte_carlo_options&)> price;
  double truth;
  double cycles;  // of a scheduler for four steps of a warp, on sm_90; 0: not counted
  std::int64_t paths;
  std::int64_t steps;
  int repeat;
};

weft::barrier_option knock_out() {
  return {weft::option_type::call, 100, 130, weft::barrier_kind::up_and_out};
}

double price_of_barrier() {
  auto moved = knock_out();
  moved.barrier = shifted_barrier(terms, moved, steps);
  return closed_form(terms, moved);
}

std::vector<gpu_case> all_cases() {
  const weft::european_option european{weft::option_type::call, 100};
  const weft::asian_option asian{weft::option_type::call, 100};
  const weft::brownian_motion motion(terms);
  const own_mean mean{100.0F, 1.0F / static_cast<float>(steps), std::exp(-0.03F)};
  constexpr std::int64_t many = std::int64_t{1} << 24;
  const double price = closed_form(terms, european);
  return {
      {"gpu_paths/european", [=](const auto& how) { return monte_carlo(model, european, how); }, price, 69,
       many, steps, 20},
      {"gpu_paths/asian", [=](const auto& how) { return monte_carlo(model, asian, how); }, price_of_mean, 96,
       many, steps, 20},
      {"gpu_paths/barrier", [=](const auto& how) { return monte_carlo(model, knock_out(), how); },
       price_of_barrier(), 81, many, steps, 20},
      {"gpu_paths/own", [=](const auto& how) { return monte_carlo(motion, mean, how); }, price_of_mean, 115,
       many, steps, 20},
      {"gpu_paths/1000000", [=](const auto& how) { return monte_carlo(model, asian, how); }, price_of_mean,
       96, 1'000'000, steps, 200},
      {"gpu_program/1000x100", [=](const auto& how) { return monte_carlo(model, european, how); }, price, 0,
       1000, 100, 1000},
  };
}

/// Path-steps a second if every scheduler issued an instruction in every cycle.
double limit_of(double cycles) {
  int clock = 0;  // in kHz
  int multiprocessors = 0;
  if (cudaDeviceGetAttribute(&clock, cudaDevAttrClockRate, 0) != cudaSuccess ||
      cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, 0) != cudaSuccess) {
    throw weft::error("CUDA does not say how fast the GPU is");
  }
  return 4.0 * 4.0 * 32.0 * multiprocessors * clock * 1e3 / cycles;
}

void measure(const gpu_case& what, bool quick) {
  const weft::any_executor gpu = weft::make_executor("cuda");
  const monte_carlo_options options{.steps = what.steps, .paths = what.paths, .seed = 1, .place = gpu};
  what.price(options);
  const int repeat = quick ? 1 : what.repeat;
  estimate found;
  const weft::stopwatch clock;
  for (int i = 0; i < repeat; ++i) found = what.price(options);
  const double seconds = clock.seconds() / repeat;
  // The corrected barrier is off by an order above the root of a step.
  if (std::abs(found.value - what.truth) > 4 * found.standard_error + 0.03) {
    throw weft::error(fmt::format("the price is {} and should be {}", found.value, what.truth));
  }
  std::string limit;
  if (what.cycles > 0.0) {
    limit = fmt::format(R"(, "limit": {{"what": "the arithmetic, by the compiled code", "value": {:.4g}}})",
                        limit_of(what.cycles));
  }
  fmt::print("{{\"case\": \"{}\", \"value\": {:.4g}, \"unit\": \"path-steps/s\"{}}}\n", what.name,
             static_cast<double>(what.paths * what.steps) / seconds, limit);
}

}  // namespace

int main(int count, char** arguments) {
  CLI::App program("Simulated paths on a GPU; one line of JSON");
  std::string name;
  bool list = false;
  bool quick = false;
  program.add_option("--case", name, "what to measure");
  program.add_flag("--list", list, "print the cases' names");
  program.add_flag("--quick", quick, "once, not many times");
  CLI11_PARSE(program, count, arguments);
  try {
    if (weft::cuda_devices().empty()) {
      fmt::print("there is no GPU on this machine\n");
      return 77;
    }
    bool found = false;
    for (const gpu_case& each : all_cases()) {
      if (list) fmt::print("{}\n", each.name);
      if (name != each.name) continue;
      measure(each, quick);
      found = true;
    }
    if (!list && !found) throw weft::error("there is no case '" + name + "': --list prints them");
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "market_weft_gpu: {}\n", error.what());
    return 1;
  }
}
