#pragma once

#include <weft/market/detail/path_loop.hpp>
#include <weft/market/detail/path_moments.hpp>
#include <weft/market/path_model.hpp>

#include <array>    // for std::array
#include <cstdint>  // for std::int64_t, std::uint32_t, std::uint64_t

struct CUstream_st;

namespace weft::detail {

template <class P>
concept controlled_payoff = requires(const P& payoff, const typename P::state& state, float price) {
  { payoff.control(state, price) } -> std::convertible_to<float>;
  { payoff.control_mean() } -> std::convertible_to<double>;
};

/// What is needed beside model and payoff.
struct functor_settings {
  std::uint64_t seed = 0;
  std::int64_t steps = 1;
  float time = 0.0F;
  bool antithetic = false;
  bool control = false;
};

/// As path_program::fill(), into a GPU's memory by its stream.
template <class Model, class Payoff>
using functor_kernel = void (*)(CUstream_st* stream, const Model& model, const Payoff& payoff,
                                const functor_settings& settings, path_range range, float* values,
                                float* controls);

/// Null unless the program has weft::cuda_paths<Model, Payoff>, which a static initializer of that sets.
template <class Model, class Payoff>
inline functor_kernel<Model, Payoff> functor_on_gpu = nullptr;

/// A model and a payoff as simulate_path() takes them, of one path or of one with its mirror image.
template <class Model, class Payoff, int Sides>
struct functor_path {
  static constexpr int most_factors = Model::factors;

  Model model;
  Payoff payoff;
  float time;

  struct state {
    typename Model::state market[Sides];
    typename Payoff::state seen[Sides];
  };

  WEFT_HOST_DEVICE static constexpr int factors() { return Model::factors; }

  WEFT_HOST_DEVICE state start() const {
    state all;
    WEFT_UNROLLED
    for (int side = 0; side < Sides; ++side) {
      all.market[side] = model.start();
      all.seen[side] = payoff.start(model.price(all.market[side]));
    }
    return all;
  }

  WEFT_HOST_DEVICE void step(state& all, const float (&normals)[most_factors][4], int step) const {
    WEFT_UNROLLED
    for (int side = 0; side < Sides; ++side) {
      std::array<float, most_factors> drawn;
      WEFT_UNROLLED
      for (int factor = 0; factor < most_factors; ++factor) {
        drawn[static_cast<unsigned>(factor)] = side == 0 ? normals[factor][step] : -normals[factor][step];
      }
      model.step(all.market[side], drawn, time);
      payoff.observe(all.seen[side], model.price(all.market[side]));
    }
  }

  WEFT_HOST_DEVICE path_pay finish(const state& all) const {
    path_pay pays = {0.0F, 0.0F};
    WEFT_UNROLLED
    for (int side = 0; side < Sides; ++side) {
      const float price = model.price(all.market[side]);
      pays.value += static_cast<float>(payoff.value(all.seen[side], price));
      if constexpr (controlled_payoff<Payoff>) pays.control += payoff.control(all.seen[side], price);
    }
    constexpr float share = 1.0F / static_cast<float>(Sides);
    return {pays.value * share, pays.control * share};
  }
};

/// The window of a simulation's paths.
inline path_window window_of(const functor_settings& settings, path_range range, float* values,
                             float* controls) {
  return {path_keys(settings.seed),
          static_cast<std::uint32_t>(settings.steps),
          range.begin,
          range.end - range.begin,
          values,
          controls};
}

}  // namespace weft::detail
