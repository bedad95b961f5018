#pragma once

#include <weft/core/error.hpp>
#include <weft/market/detail/functor_path.hpp>
#include <weft/market/detail/path_program.hpp>
#include <weft/market/monte_carlo_options.hpp>

#include <algorithm>  // for std::min
#include <array>      // for std::array
#include <bit>        // for std::bit_cast
#include <cstddef>    // for std::byte, std::size_t
#include <cstdint>    // for std::int64_t
#include <cstring>    // for std::memcpy
#include <memory>     // for std::make_unique
#include <string>     // for std::string

namespace weft::detail {

/// So many paths take a step together: their states stay in a core's first cache.
inline constexpr std::size_t functor_block = 256;

/// The states of a block, and the normal numbers of four steps.
template <class Model, class Payoff>
struct functor_states {
  std::array<typename Model::state, functor_block> market;
  std::array<typename Payoff::state, functor_block> seen;
};

template <class Model>
using functor_normals = std::array<std::array<std::array<float, functor_block>, 4>, Model::factors>;

/// One step of a block. Its copies for wider registers inline the functors, so that those are compiled for
/// them.
template <class Model, class Payoff>
inline void functor_step(const Model& model, const Payoff& payoff, const functor_normals<Model>& normals,
                         std::size_t step, float sign, float time, functor_states<Model, Payoff>& states) {
#ifdef __clang__
#pragma clang loop vectorize(assume_safety)
#else
#pragma GCC ivdep
#endif
  for (std::size_t path = 0; path < functor_block; ++path) {
    std::array<float, Model::factors> drawn;
    for (std::size_t factor = 0; factor < drawn.size(); ++factor) {
      drawn[factor] = sign * normals[factor][step][path];
    }
    model.step(states.market[path], drawn, time);
    payoff.observe(states.seen[path], model.price(states.market[path]));
  }
}

template <class Model, class Payoff>
__attribute__((target("avx2,fma"), flatten)) void functor_step_v3(const Model& model, const Payoff& payoff,
                                                                  const functor_normals<Model>& normals,
                                                                  std::size_t step, float sign, float time,
                                                                  functor_states<Model, Payoff>& states) {
  functor_step(model, payoff, normals, step, sign, time, states);
}

template <class Model, class Payoff>
__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,fma"), flatten)) void functor_step_v4(
    const Model& model, const Payoff& payoff, const functor_normals<Model>& normals, std::size_t step,
    float sign, float time, functor_states<Model, Payoff>& states) {
  functor_step(model, payoff, normals, step, sign, time, states);
}

/// What paths [begin, begin + count) of one block pay.
template <class Model, class Payoff>
void functor_paths(const Model& model, const Payoff& payoff, const functor_settings& settings, isa level,
                   path_range range, float* values, float* controls) {
  const auto step_once = level >= isa::v4   ? &functor_step_v4<Model, Payoff>
                         : level == isa::v3 ? &functor_step_v3<Model, Payoff>
                                            : &functor_step<Model, Payoff>;
  const std::size_t sides = settings.antithetic ? 2 : 1;
  const auto normals = std::make_unique<functor_normals<Model>>();
  const auto states = std::make_unique<std::array<functor_states<Model, Payoff>, 2>>();
  for (std::size_t side = 0; side < sides; ++side) {
    auto& all = (*states)[side];
    all.market.fill(model.start());
    all.seen.fill(payoff.start(model.price(model.start())));
  }
  for (std::int64_t step = 0; step < settings.steps; ++step) {
    if (step % 4 == 0) {
      for (std::size_t factor = 0; factor < normals->size(); ++factor) {
        fill_path_normals(level, settings.seed, static_cast<std::int64_t>(factor), step / 4, range,
                          static_cast<std::int64_t>(functor_block), (*normals)[factor][0].data());
      }
    }
    for (std::size_t side = 0; side < sides; ++side) {
      step_once(model, payoff, *normals, static_cast<std::size_t>(step % 4), side == 0 ? 1.0F : -1.0F,
                settings.time, (*states)[side]);
    }
  }
  const float share = 1.0F / static_cast<float>(sides);
  for (std::int64_t i = 0; i < range.end - range.begin; ++i) {
    const auto path = static_cast<std::size_t>(i);
    values[i] = 0.0F;
    if (controls != nullptr) controls[i] = 0.0F;
    for (std::size_t side = 0; side < sides; ++side) {
      const auto& all = (*states)[side];
      const float price = model.price(all.market[path]);
      values[i] += share * static_cast<float>(payoff.value(all.seen[path], price));
      if constexpr (controlled_payoff<Payoff>) {
        if (controls != nullptr) controls[i] += share * payoff.control(all.seen[path], price);
      }
    }
  }
}

template <class Model, class Payoff>
path_results functors_in_worker(const std::string& bytes, functor_settings settings, path_range range,
                                bool want_values);

/// A model and a payoff that a program brings along.
template <class Model, class Payoff>
class functor_program final : public path_program {
 public:
  functor_program(const Model& model, const Payoff& payoff, const monte_carlo_options& options)
      : functor_program(model, payoff,
                        {.seed = options.seed,
                         .steps = options.steps,
                         .time = static_cast<float>(options.maturity / static_cast<double>(options.steps)),
                         .antithetic = options.antithetic,
                         .control = options.control_variate}) {
    if (settings_.control && !controlled_payoff<Payoff>) {
      throw invalid_argument(
          "monte_carlo: control_variate is set, but the payoff has no control() and control_mean()");
    }
  }
  functor_program(const Model& model, const Payoff& payoff, const functor_settings& settings)
      : model_(model), payoff_(payoff), settings_(settings) {}

  double discount() const override { return 1.0; }
  bool has_control() const override { return settings_.control; }
  double control_mean() const override {
    if constexpr (controlled_payoff<Payoff>) {
      return payoff_.control_mean();
    } else {
      return 0.0;
    }
  }

  void fill(isa level, path_range range, float* values, float* controls) const override {
    constexpr auto block = static_cast<std::int64_t>(functor_block);
    for (std::int64_t begin = range.begin; begin < range.end; begin += block) {
      const std::int64_t offset = begin - range.begin;
      functor_paths(model_, payoff_, settings_, level, {begin, std::min(begin + block, range.end)},
                    values + offset, controls == nullptr ? nullptr : controls + offset);
    }
  }

  future<path_results> in_worker(process_pool& pool, path_range range, bool want_values) const override {
    std::string bytes(sizeof(Model) + sizeof(Payoff), '\0');
    std::memcpy(bytes.data(), &model_, sizeof(Model));
    std::memcpy(bytes.data() + sizeof(Model), &payoff_, sizeof(Payoff));
    return pool.submit<&functors_in_worker<Model, Payoff>>(bytes, settings_, range, want_values);
  }

  path_results on_gpu(const cuda_context& context, path_range range, bool want_values) const override {
    const auto launch = functor_on_gpu<Model, Payoff>;
    if (launch == nullptr) {
      throw invalid_argument(
          "monte_carlo: the program has no GPU code of this model with this payoff; have "
          "`template struct weft::cuda_paths<MODEL, PAYOFF>;` in a .cu file (weft/market/cuda_paths.cuh), or "
          "simulate on a CPU executor or a pool");
    }
    return gpu_results(context, range, settings_.control, want_values, 0,
                       [&](std::byte*, float* values, float* controls) {
                         launch(context.stream(), model_, payoff_, settings_, range, values, controls);
                       });
  }

 private:
  Model model_;
  Payoff payoff_;
  functor_settings settings_;
};

template <class Model, class Payoff>
path_results functors_in_worker(const std::string& bytes, functor_settings settings, path_range range,
                                bool want_values) {
  std::array<std::byte, sizeof(Model)> model;
  std::array<std::byte, sizeof(Payoff)> payoff;
  std::memcpy(model.data(), bytes.data(), sizeof(Model));
  std::memcpy(payoff.data(), bytes.data() + sizeof(Model), sizeof(Payoff));
  const functor_program<Model, Payoff> program(std::bit_cast<Model>(model), std::bit_cast<Payoff>(payoff),
                                               settings);
  return results_of(program, selected_isa(), range, want_values);
}

}  // namespace weft::detail
