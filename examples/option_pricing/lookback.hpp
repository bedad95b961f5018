#pragma once

#include <weft/market/path_math.hpp>

#include <array>

// A model and a payoff that weft does not have: functions that the processor runs, and a GPU by lookback.cu.

namespace option_pricing {

/// Geometric Brownian motion.
struct motion {
  float spot, drift, volatility;
  struct state {
    float logarithm;
  };
  static constexpr int factors = 1;

  WEFT_HOST_DEVICE state start() const { return {0.0F}; }
  WEFT_HOST_DEVICE void step(state& at, const std::array<float, 1>& normals, float time) const {
    at.logarithm += drift * time + volatility * weft::path_math::sqrt(time) * normals[0];
  }
  WEFT_HOST_DEVICE float price(const state& at) const { return spot * weft::path_math::exp(at.logarithm); }
};

/// At the end, buys at the lowest price that there was, today's and the steps', or as a put sells at the
/// highest.
struct lookback {
  float discount, sign;  // 1: a call, -1: a put
  struct state {
    float best;
  };

  WEFT_HOST_DEVICE state start(float price) const { return {sign * price}; }
  WEFT_HOST_DEVICE void observe(state& seen, float price) const {
    seen.best = weft::path_math::min(seen.best, sign * price);
  }
  WEFT_HOST_DEVICE float value(const state& seen, float price) const {
    return discount * (sign * price - seen.best);
  }
};

}  // namespace option_pricing
