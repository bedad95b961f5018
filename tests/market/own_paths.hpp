#pragma once

#include <weft/market/path_math.hpp>

#include <array>
#include <cmath>

// A motion and a payoff as a program brings them along.

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

/// The same of two numbers, and with plain functions that the compiler may run.
struct own_pair_of_motions {
  float spot, drift, deviation;
  struct state {
    float one, other;
  };
  static constexpr int factors = 2;
  constexpr state start() const { return {1.0F, 1.0F}; }
  constexpr void step(state& at, const std::array<float, 2>& normals, float time) const {
    at.one += at.one * (drift * time + deviation * normals[0]);
    at.other += at.other * (drift * time + deviation * normals[1]);
  }
  constexpr float price(const state& at) const { return spot * 0.5F * (at.one + at.other); }
};

struct own_mean {
  float strike, steps;
  struct state {
    float sum;
    int seen;
  };
  WEFT_HOST_DEVICE state start(float) const { return {0.0F, 0}; }
  WEFT_HOST_DEVICE void observe(state& at, float price) const {
    at.sum += price;
    ++at.seen;
  }
  WEFT_HOST_DEVICE float value(const state& at, float) const {
    return weft::path_math::max(at.sum / steps - strike, 0.0F);
  }
  WEFT_HOST_DEVICE float control(const state&, float price) const { return price; }
  double control_mean() const { return 100.0 * std::exp(0.02); }
};
