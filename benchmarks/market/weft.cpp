// Paths of a geometric Brownian motion and the arithmetic mean that an Asian option pays on, and a simulation
// by events. The numbers are those of _market.py, with which the peers do the same.

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cpu_executor.hpp>
#include <weft/compute/kernels/elementwise.hpp>
#include <weft/compute/tensor.hpp>
#include <weft/core/error.hpp>
#include <weft/core/philox.hpp>
#include <weft/market/monte_carlo.hpp>
#include <weft/market/virtual_clock.hpp>
#include <weft/observe/stopwatch.hpp>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace {

const weft::geometric_brownian model{.rate = 0.03, .assets = {{.spot = 100, .volatility = 0.2}}};
const weft::asian_option option{weft::option_type::call, 100};
constexpr std::int64_t steps = 252;
constexpr double price_of_mean = 5.300;  // with 252 steps, within 0.001
constexpr int events_processes = 1000;

struct measured {
  double value = 0.0;
  const char* unit = "path-steps/s";
  double limit = 0.0;
};

/// Normal numbers and exponentials alone, in pieces that stay in the first cache.
double limit_of_one_thread() {
  const weft::cpu_context context;
  constexpr std::int64_t stride = 1024;
  constexpr std::int64_t rounds = 3000;
  weft::tensor<float, 1> normals({4 * stride});
  weft::tensor<float, 1> powers({4 * stride});
  double seconds = 0.0;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const weft::stopwatch clock;
    for (std::int64_t round = 0; round < rounds; ++round) {
      weft::detail::fill_path_normals(context.level(), 1, 0, round, {0, stride}, stride, normals.data());
      weft::exponential{}(context, normals.view(), powers.view());
    }
    seconds = clock.seconds();
  }
  return static_cast<double>(4 * stride * rounds) / seconds;
}

measured price(std::int64_t paths, std::int64_t each_steps, const weft::simulation_place& place, int repeat,
               bool with_limit) {
  const weft::monte_carlo_options options{.steps = each_steps, .paths = paths, .seed = 1, .place = place};
  monte_carlo(model, option, options);
  const weft::stopwatch clock;
  weft::estimate found;
  for (int i = 0; i < repeat; ++i) found = monte_carlo(model, option, options);
  const double seconds = clock.seconds() / repeat;
  if (each_steps == steps && std::abs(found.value - price_of_mean) > 4 * found.standard_error + 1e-3) {
    throw weft::error(fmt::format("the price is {} and should be {}", found.value, price_of_mean));
  }
  return {.value = static_cast<double>(paths * each_steps) / seconds,
          .limit = with_limit ? limit_of_one_thread() : 0.0};
}

weft::process wander(weft::virtual_clock& clock, std::uint64_t who, int count) {
  const weft::philox random(1, who);
  for (int i = 0; i < count; i += 2) {
    const std::uint64_t word = random.word(static_cast<std::uint64_t>(i));
    co_await clock.after(std::chrono::nanoseconds(1 + word % 1000));
    co_await clock.after(std::chrono::nanoseconds(1 + (word >> 32) % 1000));
  }
}

measured simulate_events(bool quick) {
  const int each = quick ? 400 : 4000;
  weft::virtual_clock clock;
  for (std::uint64_t who = 0; who < events_processes; ++who) clock.spawn(wander(clock, who, each));
  const weft::stopwatch watch;
  const std::uint64_t events = clock.run();
  const double seconds = watch.seconds();
  if (events != static_cast<std::uint64_t>(events_processes) * static_cast<std::uint64_t>(each + 1)) {
    throw weft::error("events were lost");
  }
  return {.value = static_cast<double>(events) / seconds, .unit = "events/s"};
}

measured measure(const std::string& name, bool quick) {
  const std::int64_t paths = quick ? 100'000 : 1'000'000;
  weft::thread_pool pool(2);
  if (name == "program/1000x100") return price(1000, 100, pool, 1000, false);
  if (name == "paths/two-threads") return price(paths, steps, pool, 1, false);
  if (name == "paths/one-thread") return price(paths, steps, {}, 1, true);
  if (name == "events") return simulate_events(quick);
  throw weft::error("there is no case '" + name + "': --list prints them");
}

}  // namespace

int main(int count, char** arguments) {
  CLI::App program("Simulated paths and events in weft; one line of JSON");
  std::string name;
  bool list = false;
  bool quick = false;
  program.add_option("--case", name, "what to measure");
  program.add_flag("--list", list, "print the cases' names");
  program.add_flag("--quick", quick, "fewer paths");
  CLI11_PARSE(program, count, arguments);
  if (list) {
    fmt::print("program/1000x100\npaths/two-threads\npaths/one-thread\nevents\n");
    return 0;
  }
  try {
    const measured result = measure(name, quick);
    std::string limit;
    if (result.limit > 0.0) {
      limit = fmt::format(R"(, "limit": {{"what": "Philox, normals and exp alone", "value": {:.4g}}})",
                          result.limit);
    }
    fmt::print("{{\"case\": \"{}\", \"value\": {:.4g}, \"unit\": \"{}\"{}}}\n", name, result.value,
               result.unit, limit);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "market_weft: {}\n", error.what());
    return 1;
  }
}
