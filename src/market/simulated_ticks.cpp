#include <market/brownian_model.hpp>
#include <market/checks.hpp>
#include <weft/core/philox.hpp>
#include <weft/market/simulated_ticks.hpp>

#include <cmath>    // for std::exp, std::sqrt
#include <cstddef>  // for std::size_t

namespace weft {

std::vector<tick> simulated_ticks(const geometric_brownian& model, const simulated_tick_options& options) {
  const std::string who = "simulated_ticks";
  detail::check(who, model);
  detail::require(options.interval.count() > 0, who, "interval",
                  static_cast<double>(options.interval.count()), "above 0 ns");
  detail::require(options.count >= 1, who, "count", static_cast<double>(options.count), "at least 1");
  const std::size_t assets = model.assets.size();
  const std::vector<double> factor = detail::factor_of(model);
  const double step = std::chrono::duration<double>(options.interval).count() / (365.25 * 86400.0);
  const philox random(options.seed);
  std::vector<double> moved(assets);  // the logarithm, since the spot
  std::vector<double> normals(assets);
  std::vector<tick> ticks;
  ticks.reserve(static_cast<std::size_t>(options.count) * assets);
  for (std::int64_t i = 0; i < options.count; ++i) {
    for (std::size_t j = 0; j < assets; ++j) {
      ticks.push_back({.symbol = static_cast<std::uint32_t>(j),
                       .sequence = static_cast<std::uint64_t>(i) + 1,
                       .time = options.start + i * options.interval,
                       .price = model.assets[j].spot * std::exp(moved[j])});
    }
    for (std::size_t j = 0; j < assets; ++j) {
      const asset& each = model.assets[j];
      normals[j] = random.normal(static_cast<std::uint64_t>(i) * assets + j);
      double correlated = 0.0;
      for (std::size_t k = 0; k <= j; ++k) correlated += factor[j * assets + k] * normals[k];
      const double variance = each.volatility * each.volatility;
      moved[j] += (model.rate - each.dividend_yield - 0.5 * variance) * step +
                  each.volatility * std::sqrt(step) * correlated;
    }
  }
  return ticks;
}

}  // namespace weft
