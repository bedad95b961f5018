#pragma once

#include <weft/market/path_math.hpp>

// A payoff that weft does not have: functions that the processor runs, and a GPU by lookback.cu.

namespace option_pricing {

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
