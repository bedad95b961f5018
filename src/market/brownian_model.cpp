#include <market/brownian_model.hpp>
#include <market/checks.hpp>
#include <market/path_kernels.hpp>
#include <weft/market/correlation.hpp>

#include <cstddef>  // for std::size_t

namespace weft::detail {

void check(const std::string& who, const geometric_brownian& model) {
  require(true, who, "rate", model.rate, "a number");
  const std::size_t count = model.assets.size();
  if (count < 1 || count > most_assets) {
    throw invalid_argument(who + ": assets has " + std::to_string(count) + ", it must have 1 to " +
                           std::to_string(most_assets));
  }
  for (std::size_t i = 0; i < count; ++i) {
    const asset& each = model.assets[i];
    const std::string which = "assets[" + std::to_string(i) + "].";
    require(each.spot > 0.0, who, which + "spot", each.spot, "above 0");
    require(each.weight > 0.0, who, which + "weight", each.weight, "above 0");
    require(each.volatility >= 0.0, who, which + "volatility", each.volatility, "at least 0");
    require(true, who, which + "dividend_yield", each.dividend_yield, "a number");
  }
}

std::vector<double> factor_of(const geometric_brownian& model) {
  const std::size_t count = model.assets.size();
  if (!model.correlation.empty()) {
    return correlation_factor(model.correlation, static_cast<std::int64_t>(count));
  }
  std::vector<double> factor(count * count, 0.0);
  for (std::size_t i = 0; i < count; ++i) factor[i * count + i] = 1.0;
  return factor;
}

}  // namespace weft::detail
