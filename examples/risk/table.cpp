#include "table.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

namespace risk {

std::string day(std::chrono::nanoseconds time) {
  const auto seconds = static_cast<std::time_t>(std::chrono::floor<std::chrono::seconds>(time).count());
  return fmt::format("{:%Y-%m-%d}", fmt::gmtime(seconds));
}

std::string table(const market& names, const figures& now, const progress& so_far) {
  std::string text =
      fmt::format("{}   {} updates, the last one {:.1f} ms after its newest price\n", day(now.of.time),
                  so_far.updates, static_cast<double>(so_far.age.count()) / 1e6);
  text += fmt::format("ticks {}   refused {}   missing {}   simulations that failed {}\n", so_far.ticks,
                      so_far.refused, so_far.missing, so_far.failures);
  if (names.left_out() > 0) {
    text += fmt::format("the book is on the first {} symbols; {} more are left out\n", names.size(),
                        names.left_out());
  }
  if (!so_far.note.empty()) text += "feed: " + printable(so_far.note, 100) + "\n";
  text +=
      fmt::format("\n{:<10} {:>10} {:>6}  {:<17} {:>8} {:>6} {:>10} {:>8} {:>10} {:>12}\n", "symbol", "price",
                  "vol", "option", "quantity", "years", "simulated", "error", "formula", "value");
  std::size_t last = most_symbols;
  for (const priced_position& each : now.positions) {
    const std::size_t symbol = each.what.symbol;
    const std::string what = symbol == last
                                 ? fmt::format("{:29}", "")
                                 : fmt::format("{:<10} {:>10.2f} {:>5.1f}%", printable(names.name(symbol)),
                                               now.of.prices[symbol], 100.0 * now.of.volatilities[symbol]);
    last = symbol;
    text +=
        fmt::format("{:<28}  {:<17} {:>8.0f} {:>6.2f} {:>10.4f} {:>8.4f} {:>10.4f} {:>12.2f}\n", what,
                    each.what.name, each.what.quantity, each.years, each.simulated.value,
                    each.simulated.standard_error, each.formula, each.what.quantity * each.simulated.value);
  }
  if (now.losses.empty()) return text + "\nnot enough prices for a volatility yet\n";
  const auto& tail = now.tail;
  text += fmt::format("\n{:<24} {:>12.2f}\n", "value of the book", now.value);
  text += fmt::format("{:<24} {:>12.2f}   {:.2f} .. {:.2f}\n",
                      fmt::format("value at risk, {} days", horizon_days), tail.value_at_risk.value,
                      tail.value_at_risk.low, tail.value_at_risk.high);
  text +=
      fmt::format("{:<24} {:>12.2f}   {:.2f} .. {:.2f}\n", "expected shortfall",
                  tail.expected_shortfall.value, tail.expected_shortfall.low, tail.expected_shortfall.high);
  return text;
}

}  // namespace risk
