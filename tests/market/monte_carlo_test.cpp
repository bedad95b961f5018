#include <weft/compute/cpu_executor.hpp>
#include <weft/compute/cuda_device.hpp>
#include <weft/core/error.hpp>
#include <weft/market/brownian_motion.hpp>
#include <weft/market/closed_form.hpp>
#include <weft/market/detail/functor_path.hpp>
#include <weft/market/monte_carlo.hpp>

#include "own_paths.hpp"
#include "quantlib.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace monte_carlo_test {

using weft::asian_option;
using weft::barrier_kind;
using weft::barrier_option;
using weft::estimate;
using weft::european_option;
using weft::geometric_brownian;
using weft::mean_kind;
using weft::monte_carlo;
using weft::monte_carlo_options;
using weft::option_type;
using weft::path_option;

geometric_brownian model_of(const weft::market_terms& terms) {
  return {.rate = terms.rate,
          .assets = {
              {.spot = terms.spot, .volatility = terms.volatility, .dividend_yield = terms.dividend_yield}}};
}

const geometric_brownian usual =
    model_of({.spot = 100, .rate = 0.03, .dividend_yield = 0.01, .volatility = 0.2});

// Paths are computed in float.
double rounding(const weft::market_terms& terms) {
  return 2e-6 * terms.spot;
}

void expect_within_three_errors(const estimate& found, double truth, double rounding) {
  EXPECT_NEAR(found.value, truth, 3.0 * found.standard_error + rounding);
}

std::string trace_of(const quantlib_price& row) {
  return row.kind + (row.type == option_type::call ? " call" : " put") + " strike " +
         std::to_string(row.strike) + " volatility " + std::to_string(row.terms.volatility) + " years " +
         std::to_string(row.terms.maturity);
}

TEST(monte_carlo, prices_what_quantlib_prices) {
  for (const auto& row : quantlib_prices()) {
    SCOPED_TRACE(trace_of(row));
    monte_carlo_options options{
        .maturity = row.terms.maturity, .steps = row.steps, .paths = 16384, .seed = 5};
    path_option option = european_option{row.type, row.strike};
    if (row.kind == "geometric") option = asian_option{row.type, row.strike, mean_kind::geometric};
    if (row.kind == "arithmetic") {
      option = asian_option{row.type, row.strike, mean_kind::arithmetic};
      options.control_variate = true;
    }
    if (row.is_barrier()) continue;  // below
    if (row.kind == "european") options.paths = 65536;
    expect_within_three_errors(monte_carlo(model_of(row.terms), option, options), row.price,
                               3.0 * row.error + rounding(row.terms));
  }
}

TEST(monte_carlo, prices_barriers_with_the_correction) {
  for (const auto& row : quantlib_prices()) {
    // The other kind is the rest of the European price.
    if (row.kind != "up_and_out" && row.kind != "down_and_in") continue;
    SCOPED_TRACE(trace_of(row));
    const auto model = model_of(row.terms);
    auto option = row.as_barrier();
    option.continuous = true;
    // What the correction leaves over is of a higher order than the root of a step.
    const double left_over = 0.02 + rounding(row.terms);
    expect_within_three_errors(monte_carlo(model, option, {.steps = 365, .paths = 8192, .seed = 5}),
                               row.price, left_over);
    option.continuous = false;
    auto moved = option;
    moved.barrier = shifted_barrier(row.terms, option, 20);
    expect_within_three_errors(monte_carlo(model, option, {.steps = 20, .paths = 32768, .seed = 6}),
                               closed_form(row.terms, moved), 5 * left_over);
  }
}

TEST(monte_carlo, prices_the_extremes) {
  const auto price = [](weft::market_terms terms, const path_option& option) {
    return monte_carlo(model_of(terms), option, {.maturity = terms.maturity, .steps = 10, .paths = 20000});
  };
  const weft::market_terms still{.spot = 100, .rate = 0.05, .maturity = 2.0};
  const weft::market_terms now{.spot = 100, .rate = 0.05, .volatility = 0.3};
  for (const double strike : {0.0, 1.0, 100.0, 104.0, 1000.0}) {
    for (const auto& terms : {still, now}) {
      for (const auto type : {option_type::call, option_type::put}) {
        const auto found = price(terms, european_option{type, strike});
        EXPECT_NEAR(found.value, closed_form(terms, european_option{type, strike}),
                    rounding(terms) + 1e-6 * strike);
        EXPECT_LE(found.standard_error, 1e-6);
        const auto mean = price(terms, asian_option{type, strike, mean_kind::geometric});
        EXPECT_NEAR(mean.value, closed_form(terms, asian_option{type, strike, mean_kind::geometric}, 10),
                    rounding(terms) + 1e-6 * strike);
      }
    }
  }
  EXPECT_EQ(price(now, barrier_option{.barrier = 100, .kind = barrier_kind::up_and_out}).value, 0.0);
  EXPECT_NEAR(price(now, barrier_option{.barrier = 100, .kind = barrier_kind::up_and_in}).value, 100.0, 1e-4);
  EXPECT_NEAR(price(now, barrier_option{.barrier = 100.1, .kind = barrier_kind::up_and_out}).value, 100.0,
              1e-4);
  // A drift of (rate) alone would give 100 * exp((rate + volatility^2 / 2) * years) here.
  const weft::market_terms wild{.spot = 100, .rate = 0.05, .volatility = 0.6, .maturity = 1.0};
  const auto forward = monte_carlo(model_of(wild), european_option{}, {.steps = 1, .antithetic = true});
  expect_within_three_errors(forward, 100.0, rounding(wild));
  EXPECT_LT(forward.standard_error, 0.1);
}

// The price of a basket of two by integrating over the first one's normal number.
double basket_price(const geometric_brownian& model, double strike, double maturity) {
  const auto& [first, second] = std::array{model.assets[0], model.assets[1]};
  const double correlation = model.correlation[1];
  double price = 0.0;
  constexpr int points = 4000;
  for (int i = 0; i < points; ++i) {
    const double z = -8.0 + 16.0 * (i + 0.5) / points;
    const double weight = std::exp(-0.5 * z * z) / std::sqrt(2.0 * M_PI) * 16.0 / points;
    const double one = first.weight * first.spot *
                       std::exp((model.rate - 0.5 * first.volatility * first.volatility) * maturity +
                                first.volatility * std::sqrt(maturity) * z);
    const double moved = second.volatility * correlation;
    const double spot = second.weight * second.spot *
                        std::exp(-0.5 * moved * moved * maturity + moved * std::sqrt(maturity) * z);
    const weft::market_terms rest{
        .spot = spot,
        .rate = model.rate,
        .volatility = second.volatility * std::sqrt(1.0 - correlation * correlation),
        .maturity = maturity};
    if (one < strike) {
      price += weight * closed_form(rest, european_option{option_type::call, strike - one});
    } else {
      price += weight * (spot + std::exp(-model.rate * maturity) * (one - strike));
    }
  }
  return price;
}

TEST(monte_carlo, prices_correlated_baskets) {
  geometric_brownian model{.rate = 0.04,
                           .assets = {{.spot = 100, .volatility = 0.3, .weight = 0.6},
                                      {.spot = 50, .volatility = 0.15, .weight = 0.8}}};
  for (const double correlation : {-0.7, 0.0, 0.9}) {
    model.correlation = {1.0, correlation, correlation, 1.0};
    const double truth = basket_price(model, 100.0, 1.5);
    for (const bool control : {false, true}) {
      const auto found =
          monte_carlo(model, european_option{option_type::call, 100.0},
                      {.maturity = 1.5, .steps = 6, .paths = 200000, .control_variate = control});
      expect_within_three_errors(found, truth, 2e-4);
    }
  }
  // Three shares of one asset's third are that asset, where they move as one.
  const double near_one = 1.0 - 1e-7;
  const geometric_brownian thirds{
      .rate = 0.03,
      .assets = std::vector<weft::asset>(3, {.spot = 100, .volatility = 0.2, .weight = 1.0 / 3}),
      .correlation = {1, near_one, near_one, near_one, 1, near_one, near_one, near_one, 1}};
  const weft::market_terms terms{.spot = 100, .rate = 0.03, .volatility = 0.2, .maturity = 1.0};
  const asian_option mean{option_type::put, 102, mean_kind::geometric};
  expect_within_three_errors(monte_carlo(thirds, mean, {.steps = 7, .paths = 100000}),
                             closed_form(terms, mean, 7), 1e-3);
  const barrier_option in{option_type::call, 100, 110, barrier_kind::up_and_in};
  expect_within_three_errors(
      monte_carlo(thirds, in, {.steps = 30, .paths = 50000, .seed = 1}),
      monte_carlo(model_of(terms), in, {.steps = 30, .paths = 500000, .seed = 2}).value, 0.03);
}

TEST(monte_carlo, says_in_its_interval_where_the_truth_is) {
  const weft::market_terms terms{
      .spot = 100, .rate = 0.03, .dividend_yield = 0.01, .volatility = 0.2, .maturity = 1};
  const european_option option{option_type::call, 100};
  const double truth = closed_form(terms, option);
  for (const bool reduced : {false, true}) {
    int held = 0;
    constexpr int seeds = 2000;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
      const auto found = monte_carlo(
          usual, option,
          {.steps = 1, .paths = 2048, .seed = seed, .antithetic = reduced, .control_variate = reduced});
      if (found.low <= truth && truth <= found.high) ++held;
    }
    EXPECT_GT(held, 0.93 * seeds);
    EXPECT_LT(held, 0.97 * seeds);
  }
}

TEST(monte_carlo, has_errors_that_fall_with_the_root_of_the_paths) {
  const weft::market_terms terms{
      .spot = 100, .rate = 0.03, .dividend_yield = 0.01, .volatility = 0.2, .maturity = 1};
  const european_option option{option_type::put, 100};
  const double truth = closed_form(terms, option);
  std::vector<double> errors;
  for (const std::int64_t paths : {1000, 16000, 256000}) {
    double squares = 0.0;
    double claimed = 0.0;
    constexpr int seeds = 100;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
      const auto found = monte_carlo(usual, option, {.steps = 1, .paths = paths, .seed = seed});
      squares += (found.value - truth) * (found.value - truth) / seeds;
      claimed += found.standard_error / seeds;
    }
    errors.push_back(std::sqrt(squares));
    EXPECT_NEAR(errors.back() / claimed, 1.0, 0.25);
  }
  EXPECT_NEAR(errors[0] / errors[1], 4.0, 1.2);
  EXPECT_NEAR(errors[1] / errors[2], 4.0, 1.2);
}

TEST(monte_carlo, errs_less_with_mirrored_paths_and_a_control_variate) {
  const asian_option mean{option_type::call, 100, mean_kind::arithmetic};
  const monte_carlo_options plain{.steps = 50, .paths = 20000};
  auto mirrored = plain;
  mirrored.antithetic = true;
  auto controlled = plain;
  controlled.control_variate = true;
  const auto without = monte_carlo(usual, mean, plain);
  EXPECT_LT(monte_carlo(usual, mean, mirrored).standard_error, without.standard_error / 1.5);
  const auto with = monte_carlo(usual, mean, controlled);
  EXPECT_LT(with.standard_error, without.standard_error / 20);
  EXPECT_NEAR(with.value, without.value, 4 * without.standard_error);
}

TEST(monte_carlo, ends_when_it_is_enough) {
  const european_option option{option_type::call, 100};
  const auto enough = monte_carlo(usual, option, {.steps = 1, .paths = 1 << 24, .target_error = 0.03});
  EXPECT_EQ(enough.reason, weft::stopped_by::target_error);
  EXPECT_LE(enough.standard_error, 0.03);
  EXPECT_EQ(enough.paths, 4 * 65536);  // 14 / 0.03, squared, is 220,000
  const auto hopeless = monte_carlo(usual, option, {.steps = 1, .paths = 100001, .target_error = 1e-9});
  EXPECT_EQ(hopeless.reason, weft::stopped_by::paths);
  EXPECT_EQ(hopeless.paths, 100001);
  const auto timed =
      monte_carlo(usual, option,
                  {.steps = 1, .paths = std::int64_t{1} << 50, .time_budget = std::chrono::milliseconds(20)});
  EXPECT_EQ(timed.reason, weft::stopped_by::time_budget);
  EXPECT_GE(timed.paths, 65536);
}

constexpr own_motion motion{100.0F, 0.03F - 0.01F - 0.5F * 0.2F * 0.2F, 0.2F};
constexpr own_mean payoff{100.0F, 9.0F};

TEST(monte_carlo, takes_models_and_payoffs_of_ones_own) {
  for (const bool antithetic : {false, true}) {
    const monte_carlo_options options{.steps = 9, .paths = 10001, .seed = 9, .antithetic = antithetic};
    const auto own = path_values(motion, payoff, options);
    auto known = path_values(usual, asian_option{option_type::call, 100, mean_kind::arithmetic}, options);
    ASSERT_EQ(own.size(), known.size());
    for (std::size_t i = 0; i < own.size(); ++i) ASSERT_NEAR(std::exp(-0.03) * own[i], known[i], 2e-4) << i;
  }
  const auto controlled = monte_carlo(motion, payoff, {.steps = 9, .paths = 20000, .control_variate = true});
  const auto plain = monte_carlo(motion, payoff, {.steps = 9, .paths = 20000});
  EXPECT_LT(controlled.standard_error, 0.7 * plain.standard_error);
  EXPECT_NEAR(controlled.value, plain.value, 4 * plain.standard_error);
}

TEST(monte_carlo, has_a_brownian_motion_for_payoffs_of_ones_own) {
  const weft::market_terms terms{
      .spot = 100, .rate = 0.03, .dividend_yield = 0.01, .volatility = 0.2, .maturity = 0.5};
  const monte_carlo_options options{.maturity = 0.5, .steps = 9, .paths = 10001, .seed = 4};
  const auto own = path_values(weft::brownian_motion(terms), payoff, options);
  const auto known =
      path_values(model_of(terms), asian_option{option_type::call, 100, mean_kind::arithmetic}, options);
  ASSERT_EQ(own.size(), known.size());
  for (std::size_t i = 0; i < own.size(); ++i) ASSERT_NEAR(std::exp(-0.015) * own[i], known[i], 2e-4) << i;
  for (const weft::market_terms& wrong : {weft::market_terms{.spot = 0.0},
                                          {.spot = 1.0, .rate = NAN},
                                          {.spot = 1.0, .dividend_yield = INFINITY},
                                          {.spot = 1.0, .volatility = -1.0}}) {
    EXPECT_THROW(weft::brownian_motion{wrong}, weft::invalid_argument);
  }
}

template <class Run>
void expect_the_same_bits_everywhere(const Run& run) {
  const auto serial = run(weft::simulation_place());
  for (const int threads : {1, 3}) {
    weft::thread_pool pool(threads);
    EXPECT_EQ(run(weft::simulation_place(pool)), serial);
    weft::cpu_executor executor({.threads = threads});
    EXPECT_EQ(run(weft::simulation_place(executor)), serial);
  }
  EXPECT_EQ(run(weft::simulation_place(weft::make_executor("cpu:2"))), serial);
#ifndef __SANITIZE_THREAD__  // its run-time must not be forked
  for (const int workers : {1, 2}) {
    weft::process_pool pool({.workers = workers});
    EXPECT_EQ(run(weft::simulation_place(pool)), serial);
  }
#endif
}

TEST(monte_carlo, gives_the_same_bits_wherever_it_runs) {
  const monte_carlo_options options{
      .steps = 5, .paths = 30001, .seed = 3, .antithetic = true, .control_variate = true};
  const auto numbers = [](const estimate& found) {
    return std::vector{found.value, found.standard_error, found.low, found.high,
                       static_cast<double>(found.paths)};
  };
  const auto at = [&](const weft::simulation_place& place) {
    auto there = options;
    there.place = place;
    return there;
  };
  expect_the_same_bits_everywhere([&](const weft::simulation_place& place) {
    return numbers(monte_carlo(usual, asian_option{option_type::put, 100}, at(place)));
  });
  expect_the_same_bits_everywhere([&](const weft::simulation_place& place) {
    return path_values(usual, barrier_option{option_type::call, 95, 120}, at(place));
  });
  expect_the_same_bits_everywhere(
      [&](const weft::simulation_place& place) { return numbers(monte_carlo(motion, payoff, at(place))); });
}

TEST(monte_carlo, agrees_with_itself_on_every_instruction_set) {
  const asian_option option{option_type::put, 100};
  const monte_carlo_options options{.steps = 37, .paths = 5001, .seed = 3};
  std::vector<double> first;
  for (const weft::isa level : weft::supported_isas()) {
    weft::cpu_executor executor({.threads = 1, .level = level});
    auto there = options;
    there.place = executor;
    const auto values = path_values(usual, option, there);
    if (first.empty()) first = values;
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], first[i], 2e-4) << i;
    const auto own = path_values(motion, payoff, there);
    EXPECT_EQ(own.size(), values.size());
  }
}

TEST(monte_carlo, agrees_with_a_gpu) {
  if (weft::cuda_devices().empty()) GTEST_SKIP() << "there is no GPU";
  for (const bool control : {false, true}) {
    monte_carlo_options options{.steps = 30, .paths = 100001, .control_variate = control};
    const barrier_option option{option_type::call, 100, 130};
    const auto here = monte_carlo(usual, option, options);
    options.place = weft::make_executor("cuda");
    const auto there = monte_carlo(usual, option, options);
    EXPECT_NEAR(there.value, here.value, 1e-3);
    EXPECT_NEAR(there.standard_error, here.standard_error, 1e-4);

    options.place = {};
    const auto own = monte_carlo(motion, payoff, options);
    options.place = weft::make_executor("cuda");
    EXPECT_NEAR(monte_carlo(motion, payoff, options).value, own.value, 1e-3);
    EXPECT_NEAR(monte_carlo(motion, payoff, options).standard_error, own.standard_error, 1e-4);
  }
  const own_pair_of_motions pair{100.0F, 0.02F, 0.2F};
  for (const bool antithetic : {false, true}) {
    monte_carlo_options options{.steps = 9, .paths = 20001, .antithetic = antithetic};
    const auto here = path_values(pair, payoff, options);
    options.place = weft::make_executor("cuda");
    const auto there = path_values(pair, payoff, options);
    for (std::size_t i = 0; i < here.size(); ++i) ASSERT_NEAR(there[i], here[i], 1e-3) << i;
  }
}

TEST(monte_carlo, has_gpu_code_of_ones_own_where_there_is_a_compiler_for_it) {
  using weft::detail::functor_on_gpu;
  EXPECT_EQ((functor_on_gpu<own_motion, own_mean> != nullptr), weft::built_with_cuda());
  EXPECT_EQ((functor_on_gpu<own_pair_of_motions, own_mean> != nullptr), weft::built_with_cuda());
}

TEST(monte_carlo, names_what_cannot_be) {
  const auto refusal = [](const geometric_brownian& model, const path_option& option,
                          const monte_carlo_options& options) {
    try {
      monte_carlo(model, option, options);
    } catch (const weft::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  const european_option option{option_type::call, 100};
  EXPECT_EQ(refusal({}, option, {}), "monte_carlo: assets has 0, it must have 1 to 64");
  EXPECT_EQ(refusal({.assets = {{.spot = -1}}}, option, {}),
            "monte_carlo: assets[0].spot is -1.000000, it must be above 0");
  EXPECT_NE(refusal({.assets = {{.spot = 1}, {.spot = 1, .volatility = -1}}}, option, {})
                .find("assets[1].volatility"),
            std::string::npos);
  EXPECT_NE(refusal({.assets = {{.spot = 1}, {.spot = 1}}, .correlation = {1, 2, 2, 1}}, option, {})
                .find("not positive definite"),
            std::string::npos);
  EXPECT_NE(refusal(usual, european_option{option_type::call, -1}, {}).find("strike is -1"),
            std::string::npos);
  EXPECT_NE(refusal(usual, barrier_option{}, {}).find("barrier is 0"), std::string::npos);
  EXPECT_NE(refusal(usual, option, {.maturity = -1}).find("maturity is -1"), std::string::npos);
  EXPECT_NE(refusal(usual, option, {.steps = 0}).find("steps is 0"), std::string::npos);
  EXPECT_NE(refusal(usual, option, {.steps = std::int64_t{1} << 31}).find("it must be 1 to 2147483647"),
            std::string::npos);
  EXPECT_NE(refusal(usual, option, {.paths = 1}).find("paths is 1"), std::string::npos);
  EXPECT_NE(refusal(usual, option, {.confidence = 1}).find("confidence is 1"), std::string::npos);
  EXPECT_NE(refusal(usual, option, {.target_error = -1}).find("target_error is -1"), std::string::npos);
  EXPECT_NE(refusal(usual, option, {.time_budget = std::chrono::seconds(-1)}).find("time_budget"),
            std::string::npos);
  const geometric_brownian two{.assets = {{.spot = 1}, {.spot = 1}}};
  EXPECT_NE(refusal(two, barrier_option{.barrier = 3, .continuous = true}, {}).find("is for one asset"),
            std::string::npos);
  struct plain_payoff {
    struct state {};
    state start(float) const { return {}; }
    void observe(state&, float) const {}
    float value(const state&, float price) const { return price; }
  };
  EXPECT_THROW(monte_carlo(motion, plain_payoff{}, {.control_variate = true}), weft::invalid_argument);
}

}  // namespace monte_carlo_test
