#include <market/checks.hpp>
#include <market/normal_quantile.hpp>
#include <weft/market/tail_risk.hpp>

#include <algorithm>  // for std::sort, std::clamp
#include <cmath>      // for std::ceil, std::floor, std::sqrt
#include <cstddef>    // for std::size_t

namespace weft {

tail_risks tail_risk(std::vector<double> losses, const tail_risk_options& options) {
  const double level = options.level;
  detail::require(level > 0.0 && level < 1.0, "tail_risk", "level", level, "above 0 and below 1");
  detail::require(options.confidence > 0.0 && options.confidence < 1.0, "tail_risk", "confidence",
                  options.confidence, "above 0 and below 1");
  const auto count = static_cast<double>(losses.size());
  const double in_tail = count * (1.0 - level);
  if (in_tail < 10.0) {
    throw invalid_argument("tail_risk: " + std::to_string(losses.size()) + " losses have " +
                           std::to_string(in_tail) + " beyond the level " + std::to_string(level) +
                           ", and 10 are needed: simulate more paths or lower the level");
  }
  std::sort(losses.begin(), losses.end());
  const auto ranked = [&](double rank) {  // from 1
    return losses[static_cast<std::size_t>(std::clamp(rank, 1.0, count)) - 1];
  };
  const double quantile = detail::two_sided_quantile(options.confidence);
  const double rank = std::ceil(count * level);
  const double spread = quantile * std::sqrt(count * level * (1.0 - level));
  tail_risks result;
  result.value_at_risk = {ranked(rank), ranked(std::floor(count * level - spread)),
                          ranked(std::ceil(count * level + spread) + 1.0)};
  // The quantile itself counts for the part of it that lies beyond the level (Acerbi and Tasche, 2002).
  const double at = result.value_at_risk.value;
  double beyond = 0.0;
  double squares = 0.0;
  for (auto i = static_cast<std::size_t>(rank); i < losses.size(); ++i) {
    beyond += losses[i] - at;
    squares += (losses[i] - at) * (losses[i] - at);
  }
  const double excess = beyond / in_tail;
  const double variance = squares / in_tail - excess * excess + level * excess * excess;
  const double error = quantile * std::sqrt(std::max(0.0, variance) / in_tail);
  result.expected_shortfall = {at + excess, at + excess - error, at + excess + error};
  return result;
}

}  // namespace weft
