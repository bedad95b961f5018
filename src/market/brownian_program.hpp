#pragma once

#include <market/path_kernels.hpp>
#include <weft/market/detail/path_program.hpp>
#include <weft/market/geometric_brownian.hpp>
#include <weft/market/monte_carlo_options.hpp>
#include <weft/market/option.hpp>

#include <cstdint>  // for std::int64_t, std::uint64_t
#include <utility>  // for std::move
#include <vector>   // for std::vector

namespace weft::detail {

/// What path_arguments are made of, in numbers that cross to a worker.
struct brownian_settings {
  std::uint64_t seed = 0;
  std::int64_t steps = 1;
  std::vector<float> drift, loading, weight;
  int payoff = 0;  // of path_payoff
  float sign = 1.0F, strike = 0.0F, barrier = 0.0F;
  bool barrier_above = false;
  bool antithetic = false;
  bool control = false;
  double control_mean = 0.0;
  double discount = 1.0;
};

/// Checks everything; throws as monte_carlo().
brownian_settings settings_of(const geometric_brownian& model, const path_option& option,
                              const monte_carlo_options& options);

/// As the kernels take them; they point into the settings.
path_arguments arguments_of(const brownian_settings& settings);

/// By the kernels of an instruction set.
void fill_paths(isa level, const path_arguments& arguments, path_range range, float* values, float* controls);

/// Geometric Brownian motions with an option on them.
class brownian_program final : public path_program {
 public:
  explicit brownian_program(brownian_settings settings) : settings_(std::move(settings)) {}

  double discount() const override { return settings_.discount; }
  bool has_control() const override { return settings_.control; }
  double control_mean() const override { return settings_.control_mean; }
  void fill(isa level, path_range range, float* values, float* controls) const override {
    fill_paths(level, arguments_of(settings_), range, values, controls);
  }
  future<path_results> in_worker(process_pool& pool, path_range range, bool want_values) const override;
  path_results on_gpu(const cuda_context& context, path_range range, bool want_values) const override;

 private:
  brownian_settings settings_;
};

}  // namespace weft::detail
