#pragma once

#include <weft/market/closed_form.hpp>
#include <weft/market/path_math.hpp>

#include <array>  // for std::array

namespace weft {

/// The geometric Brownian motion of one asset as a path_model, for payoffs of one's own: its prices are those
/// of geometric_brownian, with the same seed the same ones up to rounding.
///
///     monte_carlo(brownian_motion(terms), lookback{}, {.maturity = terms.maturity})
///
/// Thread safety: immutable, so distinct and shared objects are safe.
struct brownian_motion {
  /// The logarithm of price / spot.
  struct state {
    float logarithm;  ///< 0 at the beginning
  };

  /// Normal numbers a step.
  static constexpr int factors = 1;

  /// Its maturity is not looked at: that of the options is. Throws invalid_argument, naming the field, for a
  /// value that cannot be.
  explicit brownian_motion(const market_terms& terms);

  /// As path_model has it.
  WEFT_HOST_DEVICE state start() const { return {0.0F}; }
  /// As path_model has it.
  WEFT_HOST_DEVICE void step(state& at, const std::array<float, 1>& normals, float time) const {
    at.logarithm += drift_ * time + volatility_ * path_math::sqrt(time) * normals[0];
  }
  /// As path_model has it.
  WEFT_HOST_DEVICE float price(const state& at) const { return spot_ * path_math::exp(at.logarithm); }

 private:
  float spot_, drift_, volatility_;
};

}  // namespace weft
