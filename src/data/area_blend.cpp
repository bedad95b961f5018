#include <data/area_blend.hpp>
#include <weft/core/error.hpp>

#include <algorithm>  // for std::clamp, std::min, std::max
#include <cmath>      // for std::floor
#include <cstring>    // for std::memcpy

namespace weft {
namespace {

/// A pixel and the value behind it, which does not matter: vectors have no three elements.
using pixel [[gnu::vector_size(16)]] = float;

pixel load_pixel(const float* from) noexcept {
  pixel value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace

void check(const image_target& target, std::size_t floats, const char* function) {
  if (target.rows < 1 || target.cols < 1) {
    throw invalid_argument(std::string(function) + ": the target is " + std::to_string(target.rows) + " x " +
                           std::to_string(target.cols) + " pixels; it must have at least one");
  }
  if (static_cast<std::int64_t>(floats) != target.rows * target.cols * 3) {
    throw invalid_argument(std::string(function) + ": out has " + std::to_string(floats) +
                           " floats but the target needs " + std::to_string(target.rows * target.cols * 3));
  }
  for (const float deviation : target.deviation) {
    if (!(deviation != 0.0F)) throw invalid_argument(std::string(function) + ": a deviation is 0");
  }
}

void check(const image_area& area, std::int64_t rows, std::int64_t cols, const std::string& name) {
  constexpr double rounding = 1e-6;
  const auto inside = [](double begin, double length, std::int64_t available) {
    return length > 0.0 && begin > -rounding && begin + length < static_cast<double>(available) + rounding;
  };
  if (!inside(area.top, area.rows, rows) || !inside(area.left, area.cols, cols)) {
    throw invalid_argument(name + ": the area is empty or not within the image, which has " +
                           std::to_string(rows) + " x " + std::to_string(cols) + " pixels");
  }
}

unsigned divisor_of(const image_area& area, const image_target& target) noexcept {
  unsigned divisor = 1;
  while (divisor < 8 && area.rows >= 2.0 * divisor * static_cast<double>(target.rows) &&
         area.cols >= 2.0 * divisor * static_cast<double>(target.cols)) {
    divisor *= 2;
  }
  return divisor;
}

area_blend::area_blend(const image_target& target, const image_area& area, std::int64_t rows,
                       std::int64_t cols, std::int64_t decoded_rows, std::int64_t decoded_cols) noexcept
    : target_(target), decoded_rows_(decoded_rows), decoded_cols_(decoded_cols) {
  const double down = static_cast<double>(decoded_rows) / static_cast<double>(rows);
  const double across = static_cast<double>(decoded_cols) / static_cast<double>(cols);
  area_ = {area.top * down, area.left * across, area.rows * down, area.cols * across};
}

area_blend::between area_blend::source_of(std::int64_t index, std::int64_t wanted, double begin,
                                          double length, std::int64_t available) noexcept {
  const double step = length / static_cast<double>(wanted);
  const double low = std::max(begin, 0.0);
  const double high = std::max(std::min(begin + length, static_cast<double>(available)) - 1.0, low);
  const double place = std::clamp(begin + (static_cast<double>(index) + 0.5) * step - 0.5, low, high);
  const auto last = available - 1;
  const auto first = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(place)), 0, last);
  return {first, std::min(first + 1, last), static_cast<float>(place - static_cast<double>(first))};
}

area_blend::scratch& area_blend::prepared(std::int64_t first_col, std::int64_t cols) const {
  static thread_local scratch buffers;
  buffers.columns.clear();
  for (std::int64_t col = 0; col < target_.cols; ++col) {
    const between from = col_source(target_.flip ? target_.cols - 1 - col : col);
    buffers.columns.push_back({static_cast<std::int32_t>(3 * (from.first - first_col)),
                               static_cast<std::int32_t>(3 * (from.second - first_col)), from.share});
  }
  const auto width = static_cast<std::size_t>(3 * cols);
  buffers.upper.resize(width);
  buffers.lower.resize(width);
  buffers.row.resize(width + 1);  // the last pixel is loaded with the value behind it
  return buffers;
}

void area_blend::blend(scratch& buffers, float share, float* out) const noexcept {
  const std::uint8_t* upper = buffers.upper.data();
  const std::uint8_t* lower = buffers.lower.data();
  float* const row = buffers.row.data();
  for (std::size_t i = 0; i < buffers.upper.size(); ++i) {
    const auto above = static_cast<float>(upper[i]);
    row[i] = above + share * (static_cast<float>(lower[i]) - above);
  }
  pixel factor = {};
  pixel offset = {};
  for (std::size_t channel = 0; channel < 3; ++channel) {
    factor[channel] = 1.0F / (255.0F * target_.deviation[channel]);
    offset[channel] = -target_.mean[channel] / target_.deviation[channel];
  }
  const auto blended = [&](const column_source& column) {
    const pixel left = load_pixel(row + column.first);
    return (left + column.share * (load_pixel(row + column.second) - left)) * factor + offset;
  };
  const std::size_t last = buffers.columns.size() - 1;
  for (std::size_t col = 0; col < last; ++col, out += 3) {
    const pixel value = blended(buffers.columns[col]);
    std::memcpy(out, &value, sizeof value);  // the next pixel goes over its fourth element
  }
  const pixel value = blended(buffers.columns[last]);
  std::memcpy(out, &value, 3 * sizeof(float));
}

}  // namespace weft
