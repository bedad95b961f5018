#include <data/image_options.hpp>
#include <weft/core/error.hpp>
#include <weft/data/jpeg.hpp>
#include <weft/data/png.hpp>

#include <algorithm>  // for std::equal, std::min
#include <cmath>      // for std::sqrt, std::exp, std::log

namespace weft {
namespace {

constexpr int crop_attempts = 10;
constexpr std::uint64_t flip_draw = 4 * crop_attempts;  // behind those of the crop

image_area middle(std::int64_t rows, std::int64_t cols, double ratio) {
  const auto height = static_cast<double>(rows);
  const auto width = static_cast<double>(cols);
  const double part_height = std::min(height, width / ratio);
  const double part_width = std::min(width, height * ratio);
  return {(height - part_height) / 2.0, (width - part_width) / 2.0, part_height, part_width};
}

image_area random_part(std::int64_t rows, std::int64_t cols, double ratio, const philox& random) {
  const auto height = static_cast<double>(rows);
  const auto width = static_cast<double>(cols);
  std::uint64_t drawn = 0;
  const auto between = [&](double low, double high) { return low + (high - low) * random.uniform(drawn++); };
  for (int attempt = 0; attempt < crop_attempts; ++attempt) {
    const double area = height * width * between(0.08, 1.0);
    const double shape = std::exp(between(std::log(3.0 / 4.0), std::log(4.0 / 3.0)));
    const double part_height = std::sqrt(area / shape);
    const double part_width = std::sqrt(area * shape);
    if (part_height > height || part_width > width) continue;
    const double top = between(0.0, height - part_height);
    const double left = between(0.0, width - part_width);
    return {top, left, part_height, part_width};
  }
  return middle(rows, cols, ratio);
}

}  // namespace

void check(const image_options& options, const char* whose) {
  if (options.rows < 1 || options.cols < 1) {
    throw invalid_argument(std::string(whose) + ": rows and cols must be at least 1, they are " +
                           std::to_string(options.rows) + " and " + std::to_string(options.cols));
  }
  for (const float deviation : options.deviation) {
    if (!(deviation != 0.0F)) throw invalid_argument(std::string(whose) + ": a deviation is 0");
  }
}

void decode_image(std::span<const std::uint8_t> content, const std::string& name,
                  const image_options& options, const philox& random, std::span<float> out) {
  const double ratio = static_cast<double>(options.cols) / static_cast<double>(options.rows);
  const auto area = [&](std::int64_t rows, std::int64_t cols) {
    return options.random_crop ? random_part(rows, cols, ratio, random) : middle(rows, cols, ratio);
  };
  const image_target target = {.rows = options.rows,
                               .cols = options.cols,
                               .flip = options.random_flip && random.uniform(flip_draw) < 0.5,
                               .mean = options.mean,
                               .deviation = options.deviation};
  constexpr std::array<std::uint8_t, 4> png = {0x89, 'P', 'N', 'G'};
  const bool is_png = content.size() >= png.size() && std::equal(png.begin(), png.end(), content.begin());
  (is_png ? decode_png : decode_jpeg)(content, name, target, area, out);
}

}  // namespace weft
