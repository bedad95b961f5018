#pragma once

#include <weft/market/detail/functor_path.hpp>
#include <weft/market/detail/path_kernel.cuh>
#include <weft/market/path_model.hpp>

namespace weft {

/// GPU code for a model and a payoff of one's own. A line in a .cu file of the program, whose other files
/// need not know of it, lets monte_carlo() and path_values() simulate the two on a cuda_executor:
///
///     #include <weft/market/cuda_paths.cuh>
///     #include "own_model.hpp"
///     template struct weft::cuda_paths<mean_reverting, lookback>;
///
/// The functions of both are WEFT_HOST_DEVICE (path_math.hpp) or constexpr. nvcc needs -std=c++20 and
/// --expt-relaxed-constexpr, which it has from CMake's target weft::market. In an unnamed namespace, model
/// and payoff would be others in every file. In a static library, the file is linked only if something else
/// in it is used.
///
/// Thread safety: it has no functions.
template <path_model Model, path_payoff_of Payoff>
struct cuda_paths {
  /// True once main() runs.
  static const bool ready;
};

namespace detail {

template <class Model, class Payoff>
void launch_functors(CUstream_st* stream, const Model& model, const Payoff& payoff,
                     const functor_settings& settings, path_range range, float* values, float* controls) {
  const path_window window = window_of(settings, range, values, controls);
  if (settings.antithetic) {
    launch_paths(stream, functor_path<Model, Payoff, 2>{model, payoff, settings.time}, window);
  } else {
    launch_paths(stream, functor_path<Model, Payoff, 1>{model, payoff, settings.time}, window);
  }
}

}  // namespace detail

template <path_model Model, path_payoff_of Payoff>
const bool cuda_paths<Model, Payoff>::ready =
    (detail::functor_on_gpu<Model, Payoff> = &detail::launch_functors<Model, Payoff>) != nullptr;

}  // namespace weft
