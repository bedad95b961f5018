#include "book.hpp"

#include <weft/core/philox.hpp>
#include <weft/market/closed_form.hpp>
#include <weft/market/correlation.hpp>
#include <weft/market/monte_carlo.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace risk {
namespace {

constexpr std::chrono::hours term{24 * 182};
constexpr double horizon = horizon_days / 252.0;
constexpr int weeks = 52;
constexpr int future_paths = 2000;

double formula_of(const weft::market_terms& terms, const priced_option& option) {
  return std::visit([&](const auto& kind) { return weft::closed_form(terms, kind); }, option);
}

// What the book loses until the horizon, where each symbol's price has moved.
std::vector<double> losses_of(const situation& now, const options& chosen, double value) {
  const std::size_t count = now.prices.size();
  const auto factor = weft::correlation_factor(now.correlation, static_cast<std::int64_t>(count));
  const weft::philox random(chosen.seed, 1);
  std::vector<double> normals(count);
  std::vector<double> prices(count);
  std::vector<double> losses;
  for (std::int64_t scenario = 0; scenario < chosen.scenarios; ++scenario) {
    for (std::size_t i = 0; i < count; ++i) {
      normals[i] = random.normal(static_cast<std::uint64_t>(scenario) * count + i);
      double moved = 0.0;
      for (std::size_t j = 0; j <= i; ++j) moved += factor[i * count + j] * normals[j];
      const double volatility = now.volatilities[i];
      prices[i] = now.prices[i] * std::exp((chosen.rate - 0.5 * volatility * volatility) * horizon +
                                           volatility * std::sqrt(horizon) * moved);
    }
    double then = 0.0;
    for (const position& each : now.positions) {
      const weft::market_terms terms{.spot = prices[each.symbol],
                                     .rate = chosen.rate,
                                     .volatility = now.volatilities[each.symbol],
                                     .maturity = std::max(years(each.expiry - now.time) - horizon, 0.0)};
      then += each.quantity * formula_of(terms, each.option);
    }
    losses.push_back(value - then);
  }
  std::sort(losses.begin(), losses.end());
  return losses;
}

}  // namespace

void book::roll(const market& now) {
  has_.resize(now.size());
  std::erase_if(positions_, [&](const position& each) {
    if (each.expiry > now.time()) return false;
    has_[each.symbol] = false;
    return true;
  });
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (has_[i] || !now.known(i)) continue;
    has_[i] = true;
    const double price = now.price(i);
    const auto expiry = now.time() + term;
    const auto write = [&](const char* name, const priced_option& option, double quantity) {
      positions_.push_back({i, name, option, quantity, expiry});
    };
    using enum weft::option_type;
    write("call 105 %", weft::european_option{call, 1.05 * price}, 100);
    write("put 95 %", weft::european_option{put, 0.95 * price}, -100);
    write("call, out at 80 %",
          weft::barrier_option{call, price, 0.8 * price, weft::barrier_kind::down_and_out, true}, 50);
  }
  std::stable_sort(positions_.begin(), positions_.end(),
                   [](const position& a, const position& b) { return a.symbol < b.symbol; });
}

situation situation_of(const market& now, const book& all) {
  situation result;
  for (std::size_t i = 0; i < now.size(); ++i) {
    result.prices.push_back(now.price(i));
    result.volatilities.push_back(now.volatility(i));
  }
  result.correlation = now.correlation();
  result.positions = all.positions();
  result.time = now.time();
  return result;
}

figures assess(const situation& now, const options& chosen) {
  figures result{.of = now, .positions = {}, .losses = {}, .tail = {}};
  double formulas = 0.0;
  for (const position& each : now.positions) {
    const double left = years(each.expiry - now.time);
    const weft::market_terms terms{.spot = now.prices[each.symbol],
                                   .rate = chosen.rate,
                                   .volatility = now.volatilities[each.symbol],
                                   .maturity = left};
    const weft::geometric_brownian model{.rate = chosen.rate,
                                         .assets = {{.spot = terms.spot, .volatility = terms.volatility}}};
    const weft::monte_carlo_options simulation{.maturity = left,
                                               .steps = std::max<std::int64_t>(1, std::lround(left * 252.0)),
                                               .paths = chosen.paths,
                                               .seed = chosen.seed + result.positions.size(),
                                               .control_variate = true};
    priced_position priced{.what = each, .years = left, .simulated = {}};
    priced.simulated =
        std::visit([&](const auto& kind) { return monte_carlo(model, kind, simulation); }, each.option);
    priced.formula = formula_of(terms, each.option);
    result.value += each.quantity * priced.simulated.value;
    formulas += each.quantity * priced.formula;
    result.positions.push_back(std::move(priced));
  }
  if (now.positions.empty()) return result;
  result.losses = losses_of(now, chosen, formulas);
  result.tail = weft::tail_risk(result.losses, {.level = chosen.level});
  return result;
}

std::vector<std::vector<double>> futures(double price, double volatility, const options& chosen,
                                         std::uint64_t symbol) {
  const weft::philox random(chosen.seed, 2 + symbol);
  constexpr double step = 1.0 / weeks;
  std::vector<std::vector<double>> paths(future_paths);
  std::uint64_t drawn = 0;
  for (auto& path : paths) {
    double now = price;
    path.push_back(now);
    for (int week = 0; week < weeks; ++week) {
      now *= std::exp((chosen.rate - 0.5 * volatility * volatility) * step +
                      volatility * std::sqrt(step) * random.normal(drawn++));
      path.push_back(now);
    }
  }
  return paths;
}

}  // namespace risk
