#pragma once

#include <weft/market/path_math.hpp>

// The mean of weft.cpp as a program of one's own has it.

struct own_mean {
  float strike, of_steps, discount;
  struct state {
    float sum;
  };
  WEFT_HOST_DEVICE state start(float) const { return {0.0F}; }
  WEFT_HOST_DEVICE void observe(state& at, float price) const { at.sum += price; }
  WEFT_HOST_DEVICE float value(const state& at, float) const {
    return discount * weft::path_math::max(at.sum * of_steps - strike, 0.0F);
  }
};
