#include "page.hpp"

#include <weft/core/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <system_error>

namespace option_pricing {
namespace {

constexpr double plot_width = 760.0;
constexpr double plot_height = 340.0;
constexpr double left = 80.0;
constexpr double top = 30.0;
constexpr std::array<const char*, 2> colours{"#2a6fb0", "#c0562a"};

// Where numbers of paths and prices lie in the picture.
class axes {
 public:
  axes(const std::vector<series>& all, std::optional<double> formula) {
    const auto& estimates = all.front().estimates;
    first_ = std::log2(static_cast<double>(estimates.front().paths));
    last_ = std::max(std::log2(static_cast<double>(estimates.back().paths)), first_ + 1.0);
    low_ = high_ = formula.value_or(estimates.back().value);
    for (const series& each : all) {
      for (const weft::estimate& found : each.estimates) {
        low_ = std::min(low_, found.low);
        high_ = std::max(high_, found.high);
      }
    }
    const double margin = std::max(0.05 * (high_ - low_), 1e-9 + 1e-6 * std::abs(high_));
    low_ -= margin;
    high_ += margin;
  }

  double x(std::int64_t paths) const {
    return left + plot_width * (std::log2(static_cast<double>(paths)) - first_) / (last_ - first_);
  }
  double y(double price) const { return top + plot_height * (high_ - price) / (high_ - low_); }
  double low() const { return low_; }
  double high() const { return high_; }

 private:
  double first_ = 0.0, last_ = 1.0, low_ = 0.0, high_ = 1.0;
};

std::string drawn(const axes& at, const series& each, const char* colour) {
  std::string band;
  std::string back;
  std::string line;
  for (const weft::estimate& found : each.estimates) {
    band += fmt::format("{:.1f},{:.1f} ", at.x(found.paths), at.y(found.high));
    back = fmt::format("{:.1f},{:.1f} ", at.x(found.paths), at.y(found.low)) + back;
    line += fmt::format("{:.1f},{:.1f} ", at.x(found.paths), at.y(found.value));
  }
  return fmt::format(
      "<polygon points='{}{}' fill='{}' fill-opacity='0.15'/>\n"
      "<polyline points='{}' fill='none' stroke='{}' stroke-width='2'/>\n",
      band, back, colour, line, colour);
}

std::string picture(const std::vector<series>& all, std::optional<double> formula) {
  const axes at(all, formula);
  const double bottom = top + plot_height;
  std::string text = fmt::format(
      "<svg viewBox='0 0 880 420' font-size='13'>\n"
      "<path d='M{0} {1} V{2} H{3}' fill='none' stroke='#999'/>\n",
      left, top, bottom, left + plot_width);
  for (int i = 0; i <= 4; ++i) {
    const double price = at.low() + (at.high() - at.low()) * i / 4;
    text += fmt::format("<text x='{}' y='{:.1f}' text-anchor='end'>{:.4f}</text>\n", left - 8,
                        at.y(price) + 4, price);
  }
  for (const weft::estimate& found : all.front().estimates) {
    text +=
        fmt::format("<text x='{:.1f}' y='{}' text-anchor='middle' font-size='11'>{}</text>\n",
                    at.x(found.paths), bottom + 18,
                    found.paths < 1'000'000 ? fmt::format("{}k", found.paths / 1000)
                                            : fmt::format("{:.1f}M", static_cast<double>(found.paths) / 1e6));
  }
  text += fmt::format("<text x='{}' y='{}' text-anchor='end'>paths</text>\n", left + plot_width, bottom + 38);
  if (formula) {
    text += fmt::format(
        "<path d='M{0} {1:.1f} H{2}' stroke='#333' stroke-dasharray='6 4'/>\n"
        "<text x='{3}' y='{4:.1f}'>formula {5:.6f}</text>\n",
        left, at.y(*formula), left + plot_width, left + 8, at.y(*formula) - 6, *formula);
  }
  for (std::size_t i = 0; i < all.size(); ++i) text += drawn(at, all[i], colours[i % colours.size()]);
  return text + "</svg>\n";
}

}  // namespace

void write_page(const std::string& path, const std::string& title, const std::vector<series>& all,
                std::optional<double> formula) {
  std::ofstream file(path);
  file << fmt::format(
      "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>{0}</title>\n"
      "<style>body {{font-family: sans-serif; max-width: 56em; margin: 2em auto}} "
      "td, th {{padding: 0.2em 1em; text-align: right}}</style></head><body>\n<h1>{0}</h1>\n"
      "<p>The line is the estimate, the band its interval.</p>\n{1}"
      "<table><tr><th>place</th><th>price</th><th>standard error</th><th>paths</th><th>seconds</th>"
      "<th>path-steps/s</th></tr>\n",
      title, picture(all, formula));
  for (std::size_t i = 0; i < all.size(); ++i) {
    const weft::estimate& last = all[i].estimates.back();
    file << fmt::format(
        "<tr style='color: {}'><td>{}</td><td>{:.6f}</td><td>{:.6f}</td><td>{}</td><td>{:.3f}</td>"
        "<td>{:.3g}</td></tr>\n",
        colours[i % colours.size()], all[i].place, last.value, last.standard_error, last.paths,
        all[i].seconds, all[i].steps_per_second);
  }
  file << "</table></body></html>\n";
  file.flush();
  if (!file) throw weft::io_error(path, "write", std::error_code(errno, std::generic_category()));
}

}  // namespace option_pricing
