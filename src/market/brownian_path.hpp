#pragma once

#include <market/path_kernels.hpp>
#include <weft/market/detail/path_loop.hpp>

#include <cmath>    // for std::fmax, std::log2
#include <cstdint>  // for std::int64_t

// Geometric Brownian motions and their options as simulate_path() takes them: what src/market/isa/paths.cpp
// computes for a register of paths, for one of them. Logarithms are to the base of 2, of which a GPU has the
// power in one instruction.

namespace weft::detail {

inline constexpr float of_logarithm_of_two = 1.44269504F;

/// What the end of a path pays.
struct brownian_terms {
  float sign, strike;
  bool barrier_above, knock_in;

  explicit brownian_terms(const path_arguments& all)
      : sign(all.sign),
        strike(all.strike),
        barrier_above(all.barrier_above),
        knock_in(all.payoff == path_payoff::knock_in) {}

  WEFT_HOST_DEVICE float paid(float price) const { return std::fmax(0.0F, sign * (price - strike)); }
  WEFT_HOST_DEVICE float paid(float price, bool beyond) const {
    return beyond == knock_in ? paid(price) : 0.0F;
  }
};

/// What a payoff must see of a path. A knock-in and a knock-out see the same.
enum class path_sight {
  end,             ///< the last price
  mean,            ///< the arithmetic mean
  both_means,      ///< the geometric one too
  geometric_mean,  ///< that alone
  extreme          ///< whether the barrier was touched
};

/// One asset, whose path is the logarithm of price / spot.
template <path_sight Sight, int Sides>
struct one_asset_path {
  static constexpr int most_factors = 1;
  static constexpr bool sums = Sight == path_sight::mean || Sight == path_sight::both_means;
  static constexpr bool sums_logarithms =
      Sight == path_sight::geometric_mean || Sight == path_sight::both_means;

  brownian_terms terms;
  // Of a step. With a barrier below, all logarithms are negated, so that the barrier is always above.
  float drift, deviation, toward, barrier;
  float whole_drift;  // of all steps
  float spot, of_steps;

  explicit one_asset_path(const path_arguments& all)
      : terms(all),
        toward(Sight == path_sight::extreme && !all.barrier_above ? -1.0F : 1.0F),
        barrier(Sight == path_sight::extreme ? toward * std::log2(all.barrier / all.weight[0]) : 0.0F),
        whole_drift(all.drift[0] * of_logarithm_of_two * static_cast<float>(all.steps)),
        spot(all.weight[0]),
        of_steps(1.0F / static_cast<float>(all.steps)) {
    drift = toward * all.drift[0] * of_logarithm_of_two;
    deviation = toward * all.loading[0] * of_logarithm_of_two;
  }

  struct state {
    float level[Sides];  // of the end alone: the sum of the normal numbers
    float sum[Sides], log_sum[Sides], extreme[Sides];
  };

  WEFT_HOST_DEVICE static constexpr int factors() { return 1; }

  WEFT_HOST_DEVICE state start() const { return {}; }

  WEFT_HOST_DEVICE void step(state& all, const float (&normals)[1][4], int step) const {
    const float drawn = normals[0][step];
    if constexpr (Sight == path_sight::end) {
      all.level[0] += drawn;
    } else {
      WEFT_UNROLLED
      for (int side = 0; side < Sides; ++side) {
        float& level = all.level[side];
        level += drift + (side == 0 ? deviation : -deviation) * drawn;
        if constexpr (sums) all.sum[side] += gpu_math::exp2(level);
        if constexpr (sums_logarithms) all.log_sum[side] += level;
        if constexpr (Sight == path_sight::extreme) all.extreme[side] = std::fmax(all.extreme[side], level);
      }
    }
  }

  WEFT_HOST_DEVICE path_pay finish(const state& all) const {
    path_pay pays = {0.0F, 0.0F};
    WEFT_UNROLLED
    for (int side = 0; side < Sides; ++side) {
      float level = toward * all.level[side];
      if constexpr (Sight == path_sight::end) {
        level = whole_drift + (side == 0 ? deviation : -deviation) * all.level[0];
      }
      const float last = gpu_math::exp2(level) * spot;
      const float geometric = gpu_math::exp2(all.log_sum[side] * of_steps) * spot;
      if constexpr (sums) {
        pays.value += terms.paid(all.sum[side] * (spot * of_steps));
      } else if constexpr (Sight == path_sight::geometric_mean) {
        pays.value += terms.paid(geometric);
      } else if constexpr (Sight == path_sight::extreme) {
        pays.value += terms.paid(last, all.extreme[side] >= barrier);
      } else {
        pays.value += terms.paid(last);
      }
      pays.control += Sight == path_sight::both_means ? terms.paid(geometric) : last;
    }
    constexpr float share = 1.0F / static_cast<float>(Sides);
    return {pays.value * share, pays.control * share};
  }
};

/// Several assets; the price is the weighted sum of theirs.
template <path_sight Sight, int Sides>
struct basket_path {
  static constexpr int most_factors = most_assets;

  brownian_terms terms;
  std::int64_t assets;
  const float* drift;
  const float* loading;
  const float* weight;
  float barrier, of_steps;

  explicit basket_path(const path_arguments& all)
      : terms(all),
        assets(all.assets),
        drift(all.drift),
        loading(all.loading),
        weight(all.weight),
        barrier(all.barrier),
        of_steps(1.0F / static_cast<float>(all.steps)) {}

  struct state {
    float level[most_assets][Sides];
    float sum[Sides], extreme[Sides];
  };

  WEFT_HOST_DEVICE int factors() const { return static_cast<int>(assets); }

  WEFT_HOST_DEVICE float price(const state& all, int side) const {
    float sum = 0.0F;
    for (std::int64_t asset = 0; asset < assets; ++asset) {
      sum += weight[asset] * gpu_math::exp2(all.level[asset][side]);
    }
    return sum;
  }

  WEFT_HOST_DEVICE void watch(float now, float& extreme) const {
    extreme = terms.barrier_above ? std::fmax(extreme, now) : std::fmin(extreme, now);
  }

  WEFT_HOST_DEVICE state start() const {
    state all;
    for (int side = 0; side < Sides; ++side) {
      for (std::int64_t asset = 0; asset < assets; ++asset) all.level[asset][side] = 0.0F;
      all.sum[side] = 0.0F;
      all.extreme[side] = price(all, side);
    }
    return all;
  }

  WEFT_HOST_DEVICE void step(state& all, const float (&normals)[most_assets][4], int step) const {
    for (std::int64_t asset = 0; asset < assets; ++asset) {
      float move = 0.0F;
      for (std::int64_t factor = 0; factor <= asset; ++factor) {
        move += loading[asset * assets + factor] * normals[factor][step];
      }
      WEFT_UNROLLED
      for (int side = 0; side < Sides; ++side) {
        all.level[asset][side] += of_logarithm_of_two * (drift[asset] + (side == 0 ? move : -move));
      }
    }
    if constexpr (Sight != path_sight::end) {
      for (int side = 0; side < Sides; ++side) {
        const float now = price(all, side);
        if constexpr (Sight == path_sight::mean) all.sum[side] += now;
        if constexpr (Sight == path_sight::geometric_mean) all.sum[side] += gpu_math::log2(now);
        if constexpr (Sight == path_sight::extreme) watch(now, all.extreme[side]);
      }
    }
  }

  WEFT_HOST_DEVICE path_pay finish(const state& all) const {
    path_pay pays = {0.0F, 0.0F};
    for (int side = 0; side < Sides; ++side) {
      const float last = price(all, side);
      const float mean = all.sum[side] * of_steps;
      if constexpr (Sight == path_sight::mean) {
        pays.value += terms.paid(mean);
      } else if constexpr (Sight == path_sight::geometric_mean) {
        pays.value += terms.paid(gpu_math::exp2(mean));
      } else if constexpr (Sight == path_sight::extreme) {
        const float extreme = all.extreme[side];
        pays.value += terms.paid(last, terms.barrier_above ? extreme >= barrier : extreme <= barrier);
      } else {
        pays.value += terms.paid(last);
      }
      pays.control += last;
    }
    constexpr float share = 1.0F / static_cast<float>(Sides);
    return {pays.value * share, pays.control * share};
  }
};

}  // namespace weft::detail
