#include <weft/core/error.hpp>
#include <weft/market/closed_form.hpp>

#include "quantlib.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace closed_form_test {

using weft::asian_option;
using weft::barrier_kind;
using weft::barrier_option;
using weft::closed_form;
using weft::european_option;
using weft::market_terms;
using weft::option_type;

constexpr market_terms usual{
    .spot = 100, .rate = 0.03, .dividend_yield = 0.01, .volatility = 0.2, .maturity = 1};

template <class F>
std::string refusal(const F& f) {
  try {
    f();
  } catch (const weft::invalid_argument& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(closed_form, agrees_with_quantlib) {
  int compared = 0;
  for (const auto& row : quantlib_prices()) {
    SCOPED_TRACE(row.kind + " strike " + std::to_string(row.strike) + " volatility " +
                 std::to_string(row.terms.volatility));
    double price = 0.0;
    if (row.kind == "european") {
      price = closed_form(row.terms, european_option{row.type, row.strike});
    } else if (row.kind == "geometric") {
      price =
          closed_form(row.terms, asian_option{row.type, row.strike, weft::mean_kind::geometric}, row.steps);
    } else if (row.is_barrier()) {
      price = closed_form(row.terms, row.as_barrier());
    } else {
      continue;
    }
    EXPECT_NEAR(price, row.price, 1e-9 * (1.0 + row.price));
    ++compared;
  }
  EXPECT_EQ(compared, 60 + 12 + 48);
}

TEST(closed_form, without_volatility_or_time_is_the_payoff_of_the_forward) {
  for (const double strike : {0.0, 50.0, 100.0, 103.0, 500.0}) {
    market_terms still = usual;
    still.volatility = 0.0;
    const double forward = 100 * std::exp(0.02);
    EXPECT_NEAR(closed_form(still, european_option{option_type::call, strike}),
                std::exp(-0.03) * std::max(0.0, forward - strike), 1e-12);
    market_terms now = usual;
    now.maturity = 0.0;
    EXPECT_EQ(closed_form(now, european_option{option_type::put, strike}), std::max(0.0, strike - 100));
    EXPECT_EQ(closed_form(now, asian_option{option_type::put, strike, weft::mean_kind::geometric}, 4),
              std::max(0.0, strike - 100));
    for (const double barrier : {101.0, 110.0}) {
      const double in =
          closed_form(still, barrier_option{option_type::call, strike, barrier, barrier_kind::up_and_in});
      const double plain = closed_form(still, european_option{option_type::call, strike});
      EXPECT_EQ(in, forward >= barrier ? plain : 0.0);
    }
    market_terms almost = usual;
    almost.volatility = 1e-6;
    EXPECT_NEAR(closed_form(almost, european_option{option_type::call, strike}),
                closed_form(still, european_option{option_type::call, strike}), 1e-4);
  }
}

TEST(closed_form, of_barriers_adds_up) {
  for (const double strike : {0.0, 80.0, 100.0, 130.0}) {
    for (const auto type : {option_type::call, option_type::put}) {
      const double plain = closed_form(usual, european_option{type, strike});
      for (const double barrier : {1.0, 90.0, 99.9, 100.1, 120.0, 1e6}) {
        const bool above = barrier > 100;
        const double in =
            closed_form(usual, barrier_option{type, strike, barrier,
                                              above ? barrier_kind::up_and_in : barrier_kind::down_and_in});
        const double out =
            closed_form(usual, barrier_option{type, strike, barrier,
                                              above ? barrier_kind::up_and_out : barrier_kind::down_and_out});
        EXPECT_NEAR(in + out, plain, 1e-9) << strike << " " << barrier;
        EXPECT_GE(in, -1e-9);
        EXPECT_GE(out, -1e-9);
        const bool far = barrier == 1.0 || barrier == 1e6;
        EXPECT_NEAR(far ? in : 0.0, 0.0, 1e-9);
      }
      // Already touched.
      EXPECT_EQ(closed_form(usual, barrier_option{type, strike, 100, barrier_kind::up_and_out}), 0.0);
      EXPECT_EQ(closed_form(usual, barrier_option{type, strike, 100, barrier_kind::down_and_in}), plain);
    }
  }
}

TEST(closed_form, of_one_step_is_that_of_the_european) {
  EXPECT_NEAR(closed_form(usual, asian_option{option_type::call, 95, weft::mean_kind::geometric}, 1),
              closed_form(usual, european_option{option_type::call, 95}), 1e-12);
}

TEST(closed_form, moves_a_barrier_away_from_the_spot) {
  const double shift = std::exp(0.5826 * 0.2 * std::sqrt(1.0 / 50));
  EXPECT_NEAR(shifted_barrier(usual, barrier_option{.barrier = 120, .kind = barrier_kind::up_and_in}, 50),
              120 * shift, 1e-9);
  EXPECT_NEAR(shifted_barrier(usual, barrier_option{.barrier = 80, .kind = barrier_kind::down_and_out}, 50),
              80 / shift, 1e-9);
}

TEST(closed_form, names_what_cannot_be) {
  const european_option option{option_type::call, 100};
  market_terms terms = usual;
  terms.spot = 0.0;
  EXPECT_EQ(refusal([&] { closed_form(terms, option); }),
            "closed_form: spot is 0.000000, it must be above 0");
  terms = usual;
  terms.volatility = std::nan("");
  EXPECT_EQ(refusal([&] { closed_form(terms, option); }),
            "closed_form: volatility is nan, it must be at least 0");
  EXPECT_NE(refusal([&] {
              closed_form(usual, european_option{option_type::put, -1});
            }).find("strike is -1"),
            std::string::npos);
  EXPECT_NE(refusal([&] { closed_form(usual, barrier_option{}); }).find("barrier is 0"), std::string::npos);
  EXPECT_NE(refusal([&] { closed_form(usual, asian_option{}, 4); }).find("arithmetic mean has no formula"),
            std::string::npos);
  EXPECT_NE(refusal([&] {
              closed_form(usual, asian_option{.mean = weft::mean_kind::geometric}, 0);
            }).find("steps is 0"),
            std::string::npos);
}

}  // namespace closed_form_test
