#pragma once

#include <weft/market/simulation_place.hpp>

#include <chrono>   // for std::chrono::nanoseconds
#include <cstdint>  // for std::int64_t, std::uint64_t

namespace weft {

/// What monte_carlo() simulates, where, and when it is enough.
struct monte_carlo_options {
  /// In years, at least 0.
  double maturity = 1.0;
  /// Equal steps until then, 1 to 2^31 - 1.
  std::int64_t steps = 252;
  /// How many samples at most; at least 2.
  std::int64_t paths = 1 << 20;
  /// Of the random numbers.
  std::uint64_t seed = 0;
  /// A sample is the mean of a path and of its mirror image, with the normal numbers negated.
  bool antithetic = false;
  /// Whether what is known of the control variate corrects the estimate.
  bool control_variate = false;
  /// Of the interval, above 0 and below 1.
  double confidence = 0.95;
  /// Ends the simulation when the standard error is not above it, which is looked at after 65,536 samples and
  /// whenever their number has doubled; 0 for none.
  double target_error = 0.0;
  /// Ends the simulation about then, but not before 65,536 samples: how many there are depends on the
  /// machine. 0 for none.
  std::chrono::nanoseconds time_budget{0};
  /// Where the paths are simulated.
  simulation_place place = {};
};

}  // namespace weft
