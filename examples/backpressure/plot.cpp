#include "plot.hpp"

#include <weft/core/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <system_error>

namespace backpressure {
namespace {

constexpr double plot_width = 720.0;
constexpr double plot_height = 180.0;
constexpr double left = 70.0;

std::string panel(const std::vector<sample>& samples, double sample::*value, double most, double top,
                  const std::string& title, const std::string& colour) {
  const double end = samples.back().seconds > 0.0 ? samples.back().seconds : 1.0;
  std::string points;
  for (const sample& each : samples) {
    points += fmt::format("{:.1f},{:.1f} ", left + plot_width * each.seconds / end,
                          top + plot_height * (1.0 - each.*value / most));
  }
  return fmt::format(
      "<text x='{0}' y='{1}' font-weight='bold'>{2}</text>\n"
      "<line x1='{0}' y1='{3}' x2='{4}' y2='{3}' stroke='#999'/>\n"
      "<text x='{5}' y='{6}' text-anchor='end'>{7:.0f}</text><text x='{5}' y='{3}' "
      "text-anchor='end'>0</text>\n"
      "<text x='{4}' y='{8}' text-anchor='end'>{9:.1f} s</text>\n"
      "<polyline fill='none' stroke='{10}' stroke-width='2' points='{11}'/>\n",
      left, top - 10, title, top + plot_height, left + plot_width, left - 8, top + 10, most,
      top + plot_height + 18, end, colour, points);
}

double largest(const std::vector<sample>& samples, double sample::*value) {
  double most = 1.0;
  for (const sample& each : samples) most = std::max(most, each.*value);
  return most;
}

}  // namespace

std::string sparkline(const std::vector<double>& values, std::size_t width) {
  static constexpr std::array<const char*, 8> bars{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  if (values.empty()) return {};
  const double most = std::max(*std::max_element(values.begin(), values.end()), 1e-9);
  std::string line;
  for (std::size_t column = 0; column < width; ++column) {
    const double value = values[column * values.size() / width];
    line += bars[std::min<std::size_t>(7, static_cast<std::size_t>(value / most * 7.99))];
  }
  return line;
}

void write_svg(const std::string& path, const std::vector<sample>& samples, std::size_t capacity) {
  std::ofstream file(path);
  file << fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 820 520' font-family='sans-serif' "
      "font-size='13'>\n"
      "<rect width='820' height='520' fill='white'/>\n{}{}</svg>\n",
      panel(samples, &sample::megabytes, largest(samples, &sample::megabytes) * 1.1, 50,
            "resident memory, MB", "#2a6fb0"),
      panel(samples, &sample::queued,
            std::max(largest(samples, &sample::queued), static_cast<double>(capacity)), 300,
            fmt::format("blocks in the queue (capacity {})", capacity), "#c0562a"));
  file.flush();
  if (!file) throw weft::io_error(path, "write", std::error_code(errno, std::generic_category()));
}

}  // namespace backpressure
