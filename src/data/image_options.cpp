#include <data/image_options.hpp>
#include <data/pixels.hpp>
#include <weft/core/error.hpp>
#include <weft/data/jpeg.hpp>
#include <weft/data/png.hpp>

#include <algorithm>  // for std::equal, std::min
#include <cmath>      // for std::sqrt, std::exp, std::log, std::isfinite
#include <cstring>    // for std::memcpy
#include <vector>     // for std::vector

namespace weft {
namespace {

constexpr int crop_attempts = 10;
constexpr std::uint64_t flip_draw = 4 * crop_attempts;  // behind those of the crop
constexpr std::uint64_t jitter_draw = flip_draw + 1;

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

bool is_png(std::span<const std::uint8_t> content) {
  constexpr std::array<std::uint8_t, 4> png = {0x89, 'P', 'N', 'G'};
  return content.size() >= png.size() && std::equal(png.begin(), png.end(), content.begin());
}

// make(target, area) makes the target; then the colours are changed.
template <class Make>
void place_image(const image_options& options, const philox& random, std::span<float> out, const Make& make) {
  const double ratio = static_cast<double>(options.cols) / static_cast<double>(options.rows);
  const auto area = [&](std::int64_t rows, std::int64_t cols) {
    return options.random_crop ? random_part(rows, cols, ratio, random) : middle(rows, cols, ratio);
  };
  image_target target = {.rows = options.rows,
                         .cols = options.cols,
                         .flip = options.random_flip && random.uniform(flip_draw) < 0.5,
                         .method = options.resize,
                         .mean = options.mean,
                         .deviation = options.deviation};
  if (options.jitter.empty()) return make(target, area);
  target.mean = {0.0F, 0.0F, 0.0F};
  target.deviation = {1.0F, 1.0F, 1.0F};
  make(target, area);
  jitter_colors(out, options.jitter, random, jitter_draw);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = (out[i] - options.mean[i % 3]) / options.deviation[i % 3];
  }
}

// What a cache keeps of a decoded image: its extents, then its values.
struct extents {
  std::int64_t rows;
  std::int64_t cols;
};

std::string key_of(const wanted_image& image, const image_options& options) {
  return options.cache_decoded ? image.name + " decoded" : image.name;
}

void place_decoded(const image_pixels& pixels, const wanted_image& image, const image_options& options) {
  place_image(options, image.random, image.out, [&](const image_target& target, const choose_area& area) {
    place_pixels(pixels, target, area(pixels.rows, pixels.cols), pixels.rows, pixels.cols, image.out.data());
  });
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
  const color_jitter& jitter = options.jitter;
  for (const float each : {jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue}) {
    if (!(each >= 0.0F) || !std::isfinite(each)) {
      throw invalid_argument(std::string(whose) + ": a jitter is " + std::to_string(each) +
                             "; it must be finite and not negative");
    }
  }
  if (jitter.hue > 0.5F) {
    throw invalid_argument(std::string(whose) + ": jitter.hue is " + std::to_string(jitter.hue) +
                           "; it must be at most 0.5");
  }
}

void decode_image(std::span<const std::uint8_t> content, const std::string& name,
                  const image_options& options, const philox& random, std::span<float> out) {
  place_image(options, random, out, [&](const image_target& target, const choose_area& area) {
    (is_png(content) ? decode_png : decode_jpeg)(content, name, target, area, out);
  });
}

std::int64_t place_cached(const wanted_image& image, const image_options& options) {
  if (!options.cache) return 0;
  const auto kept = options.cache->find(image.index, key_of(image, options));
  if (!kept) return 0;
  const auto size = static_cast<std::int64_t>(kept->size());
  if (!options.cache_decoded) {
    decode_image(*kept, image.name, options, image.random, image.out);
    return size;
  }
  extents known{};
  if (kept->size() < sizeof(known)) return 0;
  std::memcpy(&known, kept->data(), sizeof(known));
  if (size != static_cast<std::int64_t>(sizeof(known)) + 3 * known.rows * known.cols) return 0;
  place_decoded({known.rows, known.cols, kept->data() + sizeof(known)}, image, options);
  return size;
}

void place_file(std::span<const std::uint8_t> content, const wanted_image& image,
                const image_options& options) {
  if (!options.cache || !options.cache_decoded) {
    decode_image(content, image.name, options, image.random, image.out);
    if (options.cache) options.cache->keep(image.index, key_of(image, options), content);
    return;
  }
  static thread_local std::vector<std::uint8_t> values;
  static thread_local std::vector<std::uint8_t> kept;
  const image_pixels pixels =
      (is_png(content) ? decode_png_pixels : decode_jpeg_pixels)(content, image.name, values);
  const extents known = {pixels.rows, pixels.cols};
  kept.resize(sizeof(known) + values.size());
  std::memcpy(kept.data(), &known, sizeof(known));
  std::memcpy(kept.data() + sizeof(known), values.data(), values.size());
  options.cache->keep(image.index, key_of(image, options), kept);
  place_decoded(pixels, image, options);
}

}  // namespace weft
