#include "page.hpp"

#include "plot.hpp"

#include <weft/core/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <system_error>

namespace risk {
namespace {

constexpr std::array<const char*, 8> colours{"#2a6fb0", "#c0562a", "#3a8a4d", "#8a4fa3",
                                             "#a08000", "#b03060", "#3b8f9c", "#6b6b6b"};
constexpr int shown_paths = 25;

double calendar(double years_since_1970) {
  return 1970.0 + years_since_1970;
}

std::string prices_picture(const market& prices) {
  range across{1e9, -1e9};
  range up{1e300, 0.0, true};
  for (std::size_t i = 0; i < prices.size(); ++i) {
    for (const point& each : prices.history(i)) {
      across.low = std::min(across.low, calendar(each.time));
      across.high = std::max(across.high, calendar(each.time));
      up.low = std::min(up.low, each.price);
      up.high = std::max(up.high, each.price);
    }
  }
  plot picture("Prices", across, up, "year", "price, logarithmic");
  for (std::size_t i = 0; i < prices.size(); ++i) {
    std::vector<point> line = prices.history(i);
    for (point& each : line) each.time = calendar(each.time);
    picture.line(line, colours[i % colours.size()], 1.5);
    picture.legend(escaped(prices.name(i)), colours[i % colours.size()]);
  }
  return picture.svg();
}

// Of the paths at each week.
std::vector<point> quantile(const std::vector<std::vector<double>>& paths, double share) {
  std::vector<point> line;
  std::vector<double> column(paths.size());
  const std::size_t weeks = paths.front().size();
  for (std::size_t week = 0; week < weeks; ++week) {
    for (std::size_t i = 0; i < paths.size(); ++i) column[i] = paths[i][week];
    const auto middle =
        column.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(column.size() - 1));
    std::nth_element(column.begin(), middle, column.end());
    line.push_back({static_cast<double>(week), *middle});
  }
  return line;
}

std::string fan_picture(const market& prices, std::size_t symbol, const options& chosen) {
  const auto paths = futures(prices.price(symbol), prices.volatility(symbol), chosen, symbol);
  const auto lowest = quantile(paths, 0.01);
  const auto highest = quantile(paths, 0.99);
  plot picture(escaped(prices.name(symbol)) + ", simulated", {0.0, static_cast<double>(lowest.size() - 1)},
               {0.9 * lowest.back().price, 1.1 * highest.back().price}, "weeks from now",
               fmt::format("price; volatility {:.1f} %", 100.0 * prices.volatility(symbol)));
  const char* const colour = colours[symbol % colours.size()];
  picture.band(lowest, highest, colour);
  picture.band(quantile(paths, 0.05), quantile(paths, 0.95), colour);
  picture.band(quantile(paths, 0.25), quantile(paths, 0.75), colour);
  for (int i = 0; i < shown_paths; ++i) {
    std::vector<point> line;
    for (const double price : paths[static_cast<std::size_t>(i)]) {
      line.push_back({static_cast<double>(line.size()),
                      std::clamp(price, 0.9 * lowest.back().price, 1.1 * highest.back().price)});
    }
    picture.line(line, colour, 0.6, 0.5);
  }
  picture.line(quantile(paths, 0.5), "#222", 2.0);
  return picture.svg();
}

// How many values lie in each part of the range.
std::vector<double> counted(const std::vector<double>& values, const range& axis, std::size_t bins) {
  std::vector<double> counts(bins);
  for (const double value : values) {
    const double share = axis.logarithmic ? std::log(value / axis.low) / std::log(axis.high / axis.low)
                                          : (value - axis.low) / (axis.high - axis.low);
    const auto bin = static_cast<std::size_t>(std::max(share, 0.0) * static_cast<double>(bins));
    ++counts[std::min(bin, bins - 1)];
  }
  return counts;
}

std::string bars_picture(const std::string& name, const std::vector<double>& values, range across,
                         const std::string& unit, double from_here, const std::vector<point>& marks,
                         const std::vector<std::string>& texts) {
  constexpr std::size_t bins = 60;
  const auto counts = counted(values, across, bins);
  // Room above for the marks.
  plot picture(name, across, {0.0, 1.25 * *std::max_element(counts.begin(), counts.end())}, unit, "how many");
  const auto edge = [&](std::size_t i) {
    const double share = static_cast<double>(i) / bins;
    return across.logarithmic ? across.low * std::pow(across.high / across.low, share)
                              : across.low + share * (across.high - across.low);
  };
  for (std::size_t i = 0; i < bins; ++i) {
    if (counts[i] > 0.0)
      picture.bar(edge(i), edge(i + 1), counts[i], edge(i) >= from_here ? colours[1] : colours[0]);
  }
  for (std::size_t i = 0; i < marks.size(); ++i)
    picture.mark(marks[i].time, texts[i], "#222", static_cast<int>(i));
  return picture.svg();
}

std::string losses_picture(const figures& last, const options& chosen) {
  const double value_at_risk = last.tail.value_at_risk.value;
  const double shortfall = last.tail.expected_shortfall.value;
  range across{last.losses.front(), last.losses.back()};
  if (!(across.high > across.low)) across.high = across.low + 1.0;
  return bars_picture(fmt::format("Losses of the book in {} trading days", horizon_days), last.losses, across,
                      "loss; gains are below 0", value_at_risk, {{value_at_risk, 0.0}, {shortfall, 0.0}},
                      {fmt::format("VaR {:g} %: {:.2f}", 100.0 * chosen.level, value_at_risk),
                       fmt::format("ES: {:.2f}", shortfall)});
}

std::string ages_picture(std::vector<double> ages) {
  std::sort(ages.begin(), ages.end());
  const double median = ages[ages.size() / 2];
  const double late = ages[(ages.size() - 1) * 99 / 100];
  range across{std::max(ages.front(), 1e-4), std::max(ages.back(), 1e-3) * 1.01, true};
  return bars_picture("From a price to its figures", ages, across, "ms, logarithmic", 1e300,
                      {{median, 0.0}, {late, 0.0}},
                      {fmt::format("half: {:.3g} ms", median), fmt::format("99 %: {:.3g} ms", late)});
}

std::string positions_table(const market& prices, const figures& last) {
  std::string text =
      "<table><tr><th>symbol</th><th>price</th><th>option</th><th>quantity</th><th>years</th>"
      "<th>simulated</th><th>error</th><th>formula</th><th>value</th></tr>\n";
  for (const priced_position& each : last.positions) {
    text += fmt::format(
        "<tr><td>{}</td><td>{:.2f}</td><td>{}</td><td>{:.0f}</td><td>{:.2f}</td><td>{:.4f}</td>"
        "<td>{:.4f}</td><td>{:.4f}</td><td>{:.2f}</td></tr>\n",
        escaped(prices.name(each.what.symbol)), last.of.prices[each.what.symbol], each.what.name,
        each.what.quantity, each.years, each.simulated.value, each.simulated.standard_error, each.formula,
        each.what.quantity * each.simulated.value);
  }
  return text + "</table>\n";
}

}  // namespace

void write_page(const options& chosen, const market& prices, const figures& last, const progress& so_far,
                const std::vector<double>& ages_in_ms) {
  std::string text = fmt::format(
      "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
      "<meta name='viewport' content='width=device-width, initial-scale=1'><title>Risk, {0}</title>\n"
      "<style>body {{font-family: sans-serif; max-width: 86em; margin: 2em auto; padding: 0 1em}} "
      "svg {{font-size: 12px; width: 100%}} "
      ".all {{display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30em, 100%), 1fr)); gap: "
      "1em}} "
      ".wide {{overflow-x: auto}} td, th {{padding: 0.2em 1em; text-align: right}}</style></head><body>\n"
      "<h1>Risk on {0}</h1>\n<p>{1} prices came, {2} of them were refused and {3} were missing. {4} times "
      "the "
      "book was assessed",
      day(last.of.time), so_far.ticks, so_far.refused, so_far.missing, so_far.updates);
  if (last.losses.empty()) {
    text += ". There were not enough prices for a volatility.</p>\n";
  } else {
    text += fmt::format(
        "; now it is worth {:.2f}. In {} trading days it loses more than {:.2f} ({:.2f} to {:.2f}) with a "
        "probability of {:g} %, and then {:.2f} ({:.2f} to {:.2f}) on average.</p>\n",
        last.value, horizon_days, last.tail.value_at_risk.value, last.tail.value_at_risk.low,
        last.tail.value_at_risk.high, 100.0 * (1.0 - chosen.level), last.tail.expected_shortfall.value,
        last.tail.expected_shortfall.low, last.tail.expected_shortfall.high);
  }
  text += "<div class='all'>\n";
  if (so_far.ticks > so_far.refused) text += prices_picture(prices);
  if (!last.losses.empty()) text += losses_picture(last, chosen);
  if (!ages_in_ms.empty()) text += ages_picture(ages_in_ms);
  for (std::size_t i = 0; i < prices.size(); ++i) {
    if (prices.known(i)) text += fan_picture(prices, i, chosen);
  }
  text += "</div>\n<p>The bands of simulated prices hold 50 %, 90 % and 98 % of 2,000 paths.</p>\n";
  text += "<div class='wide'>\n" + positions_table(prices, last) + "</div>\n</body></html>\n";
  std::ofstream file(chosen.page);
  file << text;
  file.flush();
  if (!file) throw weft::io_error(chosen.page, "write", std::error_code(errno, std::generic_category()));
}

}  // namespace risk
