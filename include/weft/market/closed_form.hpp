#pragma once

#include <weft/market/option.hpp>

#include <cstdint>  // for std::int64_t

namespace weft {

/// What prices of one asset by formula depend on. Rates are continuous, a year is 1.
struct market_terms {
  /// The price now; above 0.
  double spot = 0.0;
  /// Of the riskless account.
  double rate = 0.0;
  /// What the asset pays out.
  double dividend_yield = 0.0;
  /// At least 0.
  double volatility = 0.0;
  /// In years, at least 0.
  double maturity = 0.0;
};

/// The price of a European option; without volatility or time, its discounted payoff on the forward.
///
/// Source: Black and Scholes, "The pricing of options and corporate liabilities", 1973, with Merton's
/// dividends ("Theory of rational option pricing", 1973). Throws invalid_argument, naming the field, for a
/// value that cannot be.
double closed_form(const market_terms& terms, const european_option& option);

/// The price of an Asian option on the geometric mean over `steps` equal steps.
///
/// Source: Kemna and Vorst, "A pricing method for options based on average asset values", 1990, for discrete
/// times: the mean's logarithm is normal. Throws as above, and for the arithmetic mean, which has no formula.
double closed_form(const market_terms& terms, const asian_option& option, std::int64_t steps);

/// The price of a barrier option whose barrier is watched all the time, whatever `continuous` says.
///
/// Source: Reiner and Rubinstein, "Breaking down the barriers", 1991, as in Haug, "The complete guide to
/// option pricing formulas", 2007, 4.17.1. Throws as above.
double closed_form(const market_terms& terms, const barrier_option& option);

/// Where a barrier that is watched all the time has the price of one at `barrier` that is watched after each
/// of `steps` steps: further from the spot by exp(0.5826 volatility sqrt(step)).
///
/// Source: Broadie, Glasserman and Kou, "A continuity correction for discrete barrier options", 1997.
double shifted_barrier(const market_terms& terms, const barrier_option& option, std::int64_t steps);

}  // namespace weft
