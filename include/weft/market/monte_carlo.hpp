#pragma once

#include <weft/market/detail/functor_program.hpp>
#include <weft/market/detail/path_program.hpp>
#include <weft/market/estimate.hpp>
#include <weft/market/geometric_brownian.hpp>
#include <weft/market/monte_carlo_options.hpp>
#include <weft/market/option.hpp>
#include <weft/market/path_model.hpp>

#include <vector>  // for std::vector

namespace weft {

/// The price of an option by simulated paths: the discounted mean of what they pay, with its error.
///
/// Path p is made of Philox 4x32-10 by (seed, p, step, asset) and of nothing else, and parts of 4,096 paths
/// are joined in order, so that equal options give equal bits for any number of threads or processes; another
/// instruction set or a GPU rounds differently. Paths are computed in float, sums in double: with a single
/// asset the value has a rounding error of about 1e-6 of the spot, which no number of paths removes.
///
/// The control variate is, for an arithmetic mean of one asset, what the geometric one pays, and otherwise
/// the basket at maturity; its factor is that of least variance in the sample (Glasserman, "Monte Carlo
/// methods in financial engineering", 2003, 4.1).
///
/// Blocks; in a coroutine: `co_await pool.run([&] { return weft::monte_carlo(...); })`. Throws
/// invalid_argument, naming the field, for a value that cannot work, and for correlations as
/// correlation_factor(); otherwise what the pool or executor throws.
///
/// Thread safety: safe.
estimate monte_carlo(const geometric_brownian& model, const path_option& option,
                     const monte_carlo_options& options = {});

/// What each of `options.paths` paths pays, discounted, in the order of the paths; the options that end a
/// simulation early are not looked at. Otherwise as monte_carlo().
std::vector<double> path_values(const geometric_brownian& model, const path_option& option,
                                const monte_carlo_options& options = {});

/// The same for a model and a payoff of one's own (docs/market.md): the mean of what paths pay. A payoff that
/// shall be discounted does it itself. A GPU needs their code for it, see cuda_paths.cuh; without it this
/// throws invalid_argument there.
template <path_model Model, path_payoff_of Payoff>
estimate monte_carlo(const Model& model, const Payoff& payoff, const monte_carlo_options& options = {}) {
  return detail::estimate_paths(detail::functor_program<Model, Payoff>(model, payoff, options), options);
}

/// What each path pays.
template <path_model Model, path_payoff_of Payoff>
std::vector<double> path_values(const Model& model, const Payoff& payoff,
                                const monte_carlo_options& options = {}) {
  return detail::pay_paths(detail::functor_program<Model, Payoff>(model, payoff, options), options);
}

}  // namespace weft
