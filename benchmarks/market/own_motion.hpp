#pragma once

#include <weft/market/path_math.hpp>

#include <array>

// The geometric Brownian motion and the mean of weft.cpp as a program of one's own has them.

struct own_motion {
  float spot, drift, deviation;
  struct state {
    float logarithm;
  };
  static constexpr int factors = 1;
  WEFT_HOST_DEVICE state start() const { return {0.0F}; }
  WEFT_HOST_DEVICE void step(state& at, const std::array<float, 1>& normals, float time) const {
    at.logarithm += drift * time + deviation * weft::path_math::sqrt(time) * normals[0];
  }
  WEFT_HOST_DEVICE float price(const state& at) const { return spot * weft::path_math::exp(at.logarithm); }
};

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
