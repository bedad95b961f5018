#include <data/area_filter.hpp>

#include <algorithm>  // for std::clamp, std::fill_n, std::max, std::min
#include <array>      // for std::array
#include <cmath>      // for std::abs, std::ceil, std::floor
#include <cstddef>    // for std::size_t

namespace weft {
namespace {

double bicubic(double x) noexcept {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

double box(double x) noexcept {
  return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
}

}  // namespace

area_filter::axis area_filter::axis_of(resize_method method, std::int64_t wanted, double begin, double length,
                                       std::int64_t available) {
  const bool cubic = method == resize_method::bicubic;
  const double step = length / static_cast<double>(wanted);
  const double stretch = std::max(step, 1.0);
  const double support = (cubic ? 2.0 : 0.5) * stretch;
  constexpr double rounding = 1e-6;
  const auto first =
      std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(begin + rounding)), 0, available - 1);
  const auto last = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::ceil(begin + length - rounding)),
                                             first + 1, available);
  axis made;
  for (std::int64_t i = 0; i < wanted; ++i) {
    const double center = begin + (static_cast<double>(i) + 0.5) * step;
    source from{};
    from.begin = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(center - support + 0.5)),
                                          first, last - 1);
    from.end = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(center + support + 0.5)),
                                        from.begin + 1, last);
    from.weights = made.weights.size();
    double sum = 0.0;
    for (std::int64_t at = from.begin; at < from.end; ++at) {
      const double x = (static_cast<double>(at) + 0.5 - center) / stretch;
      const double weight = cubic ? bicubic(x) : box(x);
      made.weights.push_back(static_cast<float>(weight));
      sum += weight;
    }
    for (std::size_t k = from.weights; k < made.weights.size(); ++k) {
      // Between the last pixel's edge and the area's there may be none: then it is the nearest.
      made.weights[k] = sum == 0.0 ? (k == from.weights ? 1.0F : 0.0F)
                                   : static_cast<float>(static_cast<double>(made.weights[k]) / sum);
    }
    made.sources.push_back(from);
  }
  return made;
}

area_filter::area_filter(const image_target& target, const image_area& area, std::int64_t rows,
                         std::int64_t cols, std::int64_t decoded_rows, std::int64_t decoded_cols)
    : target_(target) {
  const double down = static_cast<double>(decoded_rows) / static_cast<double>(rows);
  const double across = static_cast<double>(decoded_cols) / static_cast<double>(cols);
  down_ = axis_of(target.method, target.rows, area.top * down, area.rows * down, decoded_rows);
  across_ = axis_of(target.method, target.cols, area.left * across, area.cols * across, decoded_cols);
}

void area_filter::begin(std::int64_t cols, float* out) {
  row_.resize(static_cast<std::size_t>(3 * cols));
  resized_.resize(static_cast<std::size_t>(3 * target_.cols));
  std::fill_n(out, 3 * target_.rows * target_.cols, 0.0F);
  first_output_ = 0;
}

void area_filter::add_row(std::int64_t row, std::int64_t first_col, float* out) {
  for (std::int64_t col = 0; col < target_.cols; ++col) {
    const source& from =
        across_.sources[static_cast<std::size_t>(target_.flip ? target_.cols - 1 - col : col)];
    const std::uint8_t* pixel = row_.data() + 3 * (from.begin - first_col);
    const float* weight = across_.weights.data() + from.weights;
    std::array<float, 3> sums{};
    for (std::int64_t at = from.begin; at < from.end; ++at, pixel += 3, ++weight) {
      for (std::size_t channel = 0; channel < 3; ++channel)
        sums[channel] += *weight * static_cast<float>(pixel[channel]);
    }
    std::copy(sums.begin(), sums.end(), resized_.begin() + 3 * col);
  }
  while (down_.sources[first_output_].end <= row) ++first_output_;
  for (std::size_t i = first_output_; i < down_.sources.size() && down_.sources[i].begin <= row; ++i) {
    const source& to = down_.sources[i];
    if (row >= to.end) continue;
    const float weight = down_.weights[to.weights + static_cast<std::size_t>(row - to.begin)];
    float* const sums = out + i * resized_.size();
    for (std::size_t k = 0; k < resized_.size(); ++k) sums[k] += weight * resized_[k];
  }
}

void area_filter::normalize(float* out) const noexcept {
  std::array<float, 3> factor{};
  std::array<float, 3> offset{};
  for (std::size_t channel = 0; channel < 3; ++channel) {
    factor[channel] = 1.0F / (255.0F * target_.deviation[channel]);
    offset[channel] = -target_.mean[channel] / target_.deviation[channel];
  }
  for (std::int64_t pixel = 0; pixel < target_.rows * target_.cols; ++pixel) {
    for (std::size_t channel = 0; channel < 3; ++channel, ++out) {
      // A cubic goes beyond what it is made of.
      *out = std::clamp(*out, 0.0F, 255.0F) * factor[channel] + offset[channel];
    }
  }
}

}  // namespace weft
