#pragma once

#include <weft/market/geometric_brownian.hpp>
#include <weft/market/tick.hpp>

#include <chrono>   // for std::chrono::nanoseconds
#include <cstdint>  // for std::int64_t, std::uint64_t
#include <vector>   // for std::vector

namespace weft {

/// Which prices simulated_ticks() makes.
struct simulated_tick_options {
  /// The time of the first ones.
  std::chrono::nanoseconds start{0};
  /// From one price of an asset to the next; above 0.
  std::chrono::nanoseconds interval = std::chrono::seconds(1);
  /// How many prices each asset has, the first being its spot; at least 1.
  std::int64_t count = 1000;
  /// Of the random numbers.
  std::uint64_t seed = 0;
};

/// Prices as a model has them, for a feed: asset i is symbol i, and all have their prices at the same times.
/// A year is 365.25 days. Throws invalid_argument for what monte_carlo() would refuse.
///
/// Thread safety: safe.
std::vector<tick> simulated_ticks(const geometric_brownian& model, const simulated_tick_options& options);

}  // namespace weft
