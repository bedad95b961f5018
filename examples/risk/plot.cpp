#include "plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace risk {
namespace {

constexpr double width = 640.0;
constexpr double height = 300.0;
constexpr double left = 70.0;
constexpr double right = 620.0;
constexpr double top = 34.0;
constexpr double bottom = 256.0;

double part(const range& axis, double value) {
  if (!axis.logarithmic) return (value - axis.low) / (axis.high - axis.low);
  return std::log(value / axis.low) / std::log(axis.high / axis.low);
}

double at(const range& axis, double share) {
  if (!axis.logarithmic) return axis.low + share * (axis.high - axis.low);
  return axis.low * std::pow(axis.high / axis.low, share);
}

}  // namespace

std::string escaped(const std::string& text) {
  std::string result;
  for (const char each : printable(text)) {
    switch (each) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += each;
    }
  }
  return result;
}

plot::plot(std::string name, range across, range up, std::string across_unit, std::string up_unit)
    : name_(std::move(name)),
      across_(across),
      up_(up),
      across_unit_(std::move(across_unit)),
      up_unit_(std::move(up_unit)) {
  for (range* axis : {&across_, &up_}) {
    if (axis->high > axis->low) continue;
    axis->high = axis->low + std::max(1e-9, 0.01 * std::abs(axis->low));
  }
}

double plot::x(double value) const {
  return left + (right - left) * part(across_, value);
}
double plot::y(double value) const {
  return bottom - (bottom - top) * part(up_, value);
}

std::string plot::joined(const std::vector<point>& points) const {
  std::string text;
  for (const point& each : points) text += fmt::format("{:.1f},{:.1f} ", x(each.time), y(each.price));
  return text;
}

void plot::line(const std::vector<point>& points, const char* colour, double thickness, double opacity) {
  body_ +=
      fmt::format("<polyline points='{}' fill='none' stroke='{}' stroke-width='{}' stroke-opacity='{}'/>\n",
                  joined(points), colour, thickness, opacity);
}

void plot::band(const std::vector<point>& low, const std::vector<point>& high, const char* colour) {
  std::vector<point> back(low.rbegin(), low.rend());
  body_ += fmt::format("<polygon points='{}{}' fill='{}' fill-opacity='0.22'/>\n", joined(high), joined(back),
                       colour);
}

void plot::bar(double from, double to, double value, const char* colour) {
  body_ += fmt::format("<rect x='{:.1f}' y='{:.1f}' width='{:.2f}' height='{:.1f}' fill='{}'/>\n", x(from),
                       y(value), std::max(x(to) - x(from) - 0.5, 0.5), bottom - y(value), colour);
}

void plot::mark(double value, const std::string& text, const char* colour, int row) {
  body_ += fmt::format(
      "<path d='M{0:.1f} {1} V{2}' stroke='{3}' stroke-width='1.5' stroke-dasharray='5 3'/>\n"
      "<text x='{4:.1f}' y='{5}' fill='{3}' text-anchor='{6}'>{7}</text>\n",
      x(value), top, bottom, colour, part(across_, value) > 0.6 ? x(value) - 5 : x(value) + 5,
      top + 12 + 16 * row, part(across_, value) > 0.6 ? "end" : "start", text);
}

void plot::legend(const std::string& text, const char* colour) {
  body_ += fmt::format("<text x='{}' y='{}' fill='{}'>{}</text>\n", left + 8, top + 14 + 16 * legends_++,
                       colour, text);
}

std::string plot::svg() const {
  std::string text = fmt::format(
      "<svg viewBox='0 0 {} {}' role='img' aria-label='{}'>\n<text x='{}' y='18' "
      "font-weight='bold'>{}</text>\n"
      "<path d='M{} {} V{} H{}' fill='none' stroke='#999'/>\n",
      width, height, name_, left, name_, left, top, bottom, right);
  constexpr int parts = 4;
  for (int i = 0; i <= parts; ++i) {
    const double share = static_cast<double>(i) / parts;
    text += fmt::format("<text x='{}' y='{:.1f}' text-anchor='end'>{:.4g}</text>\n", left - 6,
                        bottom - share * (bottom - top) + 4, at(up_, share));
    text += fmt::format("<text x='{:.1f}' y='{}' text-anchor='middle'>{:.5g}</text>\n",
                        left + share * (right - left), bottom + 17, at(across_, share));
  }
  text += fmt::format("<text x='{}' y='{}' text-anchor='end'>{}</text>\n", right, bottom + 36, across_unit_);
  text += fmt::format("<text x='{}' y='18' text-anchor='end'>{}</text>\n", right, up_unit_);
  return text + body_ + "</svg>\n";
}

}  // namespace risk
