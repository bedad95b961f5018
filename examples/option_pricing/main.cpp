// The price of an option by simulation, with more and more paths, beside its formula: on the CPU, and on a
// GPU if there is one.

#include "lookback.hpp"
#include "page.hpp"

#include <weft/compute/any_executor.hpp>
#include <weft/compute/cuda_device.hpp>
#include <weft/core/error.hpp>
#include <weft/market/brownian_motion.hpp>
#include <weft/market/closed_form.hpp>
#include <weft/market/monte_carlo.hpp>
#include <weft/observe/stopwatch.hpp>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace {

struct options {
  std::string payoff = "european";
  bool put = false;
  double strike = 100.0;
  double barrier = 130.0;
  bool continuous = false;
  weft::market_terms terms{.spot = 100.0, .rate = 0.03, .volatility = 0.2, .maturity = 1.0};
  weft::monte_carlo_options simulation{.steps = 252, .paths = 1 << 20};
  std::string device = "auto";
  std::string page;
};

const std::map<std::string, weft::barrier_kind> barriers{{"up-and-in", weft::barrier_kind::up_and_in},
                                                         {"up-and-out", weft::barrier_kind::up_and_out},
                                                         {"down-and-in", weft::barrier_kind::down_and_in},
                                                         {"down-and-out", weft::barrier_kind::down_and_out}};

std::vector<std::string> payoffs() {
  std::vector<std::string> names{"european", "asian", "geometric-asian", "lookback"};
  for (const auto& [name, kind] : barriers) names.push_back(name);
  return names;
}

weft::path_option option_of(const options& chosen) {
  const auto type = chosen.put ? weft::option_type::put : weft::option_type::call;
  if (chosen.payoff == "european") return weft::european_option{type, chosen.strike};
  if (chosen.payoff == "asian") return weft::asian_option{type, chosen.strike};
  if (chosen.payoff == "geometric-asian") {
    return weft::asian_option{type, chosen.strike, weft::mean_kind::geometric};
  }
  return weft::barrier_option{type, chosen.strike, chosen.barrier, barriers.at(chosen.payoff),
                              chosen.continuous};
}

/// What the formula says, where there is one. That of a barrier which is watched after each step is the
/// continuous one's, with the barrier moved.
std::optional<double> formula_of(const options& chosen) {
  if (chosen.payoff == "lookback") return std::nullopt;
  const auto option = option_of(chosen);
  if (const auto* european = std::get_if<weft::european_option>(&option)) {
    return closed_form(chosen.terms, *european);
  }
  if (const auto* asian = std::get_if<weft::asian_option>(&option)) {
    if (asian->mean == weft::mean_kind::arithmetic) return std::nullopt;
    return closed_form(chosen.terms, *asian, chosen.simulation.steps);
  }
  auto barrier = std::get<weft::barrier_option>(option);
  if (!barrier.continuous) barrier.barrier = shifted_barrier(chosen.terms, barrier, chosen.simulation.steps);
  return closed_form(chosen.terms, barrier);
}

weft::estimate price_of(const options& chosen, const weft::monte_carlo_options& simulation) {
  const weft::market_terms& terms = chosen.terms;
  if (chosen.payoff == "lookback") {
    const auto discount = static_cast<float>(std::exp(-terms.rate * terms.maturity));
    return monte_carlo(weft::brownian_motion(terms),
                       option_pricing::lookback{discount, chosen.put ? -1.0F : 1.0F}, simulation);
  }
  const weft::geometric_brownian model{
      .rate = terms.rate,
      .assets = {
          {.spot = terms.spot, .volatility = terms.volatility, .dividend_yield = terms.dividend_yield}}};
  return monte_carlo(model, option_of(chosen), simulation);
}

option_pricing::series simulate(const options& chosen, const std::string& place) {
  auto simulation = chosen.simulation;
  const weft::any_executor executor = weft::make_executor(place);
  simulation.place = executor;
  option_pricing::series result{.place = executor.name(), .estimates = {}};
  for (std::int64_t paths = std::min<std::int64_t>(1024, chosen.simulation.paths);; paths *= 2) {
    simulation.paths = std::min(paths, chosen.simulation.paths);
    const weft::stopwatch clock;
    result.estimates.push_back(price_of(chosen, simulation));
    result.seconds = clock.seconds();
    if (simulation.paths == chosen.simulation.paths) break;
  }
  const auto simulated = static_cast<double>(result.estimates.back().paths * chosen.simulation.steps) *
                         (chosen.simulation.antithetic ? 2.0 : 1.0);
  result.steps_per_second = simulated / result.seconds;
  return result;
}

void print(const option_pricing::series& each, std::optional<double> formula) {
  fmt::print("{:>6}  {:>10}  {:>10}  {:>9}  {:>23}\n", each.place, "paths", "price", "error", "interval");
  for (const weft::estimate& found : each.estimates) {
    fmt::print("{:>6}  {:>10}  {:>10.5f}  {:>9.5f}  {:>10.5f} .. {:>9.5f}{}\n", "", found.paths, found.value,
               found.standard_error, found.low, found.high,
               formula && (*formula < found.low || *formula > found.high) ? "  without the formula" : "");
  }
  fmt::print("{:>6}  {:.3f} s for the last line, {:.3g} path-steps/s\n", "", each.seconds,
             each.steps_per_second);
}

void run(const options& chosen) {
  const auto formula = formula_of(chosen);
  std::vector<std::string> places{chosen.device};
  if (chosen.device == "auto") {
    places = {"cpu"};
    if (!weft::cuda_devices().empty()) places.emplace_back("cuda:0");
  }
  std::vector<option_pricing::series> all;
  for (const std::string& place : places) {
    all.push_back(simulate(chosen, place));
    print(all.back(), formula);
  }
  if (formula) fmt::print("formula {:.5f}\n", *formula);
  if (all.size() == 2) {
    fmt::print("the GPU is {:.1f} times as fast; the prices differ by {:.2g}\n",
               all[1].steps_per_second / all[0].steps_per_second,
               all[1].estimates.back().value - all[0].estimates.back().value);
  }
  if (chosen.page.empty()) return;
  std::string title = chosen.payoff + (chosen.put ? " put" : " call");
  if (chosen.payoff != "lookback") title += fmt::format(", strike {}", chosen.strike);
  write_page(chosen.page, title, all, formula);
  fmt::print("the picture is in {}\n", chosen.page);
}

}  // namespace

int main(int count, char** arguments) {
  options chosen;
  CLI::App program("Prices an option by simulation, with more and more paths, and by formula.",
                   "option_pricing");
  program.option_defaults()->always_capture_default();
  program.add_option("--payoff", chosen.payoff, "What it pays; a lookback has no strike")
      ->check(CLI::IsMember(payoffs()));
  program.add_flag("--put", chosen.put, "A put instead of a call");
  program.add_option("--strike", chosen.strike, "Strike");
  program.add_option("--barrier", chosen.barrier, "Barrier of the barrier options");
  program.add_flag("--continuous", chosen.continuous, "The barrier is watched between the steps too");
  program.add_option("--spot", chosen.terms.spot, "Price now");
  program.add_option("--rate", chosen.terms.rate, "Riskless rate, continuous");
  program.add_option("--dividend-yield", chosen.terms.dividend_yield, "Dividend yield, continuous");
  program.add_option("--volatility", chosen.terms.volatility, "Volatility of a year");
  program.add_option("--maturity", chosen.terms.maturity, "Years");
  program.add_option("--steps", chosen.simulation.steps, "Steps of a path");
  program.add_option("--paths", chosen.simulation.paths, "Most paths");
  program.add_option("--seed", chosen.simulation.seed, "Seed of the random numbers");
  program.add_flag("--antithetic", chosen.simulation.antithetic, "Paths with their mirror images");
  program.add_flag("--control-variate", chosen.simulation.control_variate, "Correct by a control variate");
  program.add_option("--device", chosen.device,
                     "cpu, cpu:THREADS, cuda or auto: the CPU and a GPU if there is one");
  program.add_option("--page", chosen.page, "Write a page with the picture here");
  program.footer("Exit codes: 0 done, 1 it failed, 2 a wrong command line.");
  try {
    program.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  }
  try {
    chosen.simulation.maturity = chosen.terms.maturity;
    run(chosen);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "option_pricing: {}\n", error.what());
    return 1;
  }
}
