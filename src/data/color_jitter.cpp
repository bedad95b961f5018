#include <weft/data/color_jitter.hpp>

#include <algorithm>  // for std::clamp, std::max, std::min
#include <array>      // for std::array
#include <cmath>      // for std::floor
#include <cstddef>    // for std::size_t
#include <utility>    // for std::swap

namespace weft {
namespace {

float clamped(float value) noexcept {
  return std::clamp(value, 0.0F, 1.0F);
}

float grey_of(const float* pixel) noexcept {
  return 0.2989F * pixel[0] + 0.587F * pixel[1] + 0.114F * pixel[2];
}

// Of the circle of hues, from 0 to 1; the largest value and the difference to the smallest are given.
float hue_of(const float* pixel, float largest, float range) noexcept {
  if (range == 0.0F) return 0.0F;
  const float red = (largest - pixel[0]) / range;
  const float green = (largest - pixel[1]) / range;
  const float blue = (largest - pixel[2]) / range;
  const float sixths = pixel[0] == largest   ? blue - green
                       : pixel[1] == largest ? 2.0F + red - blue
                                             : 4.0F + green - red;
  return sixths / 6.0F;
}

}  // namespace

void adjust_brightness(std::span<float> pixels, float factor) noexcept {
  for (float& value : pixels) value = clamped(factor * value);
}

void adjust_contrast(std::span<float> pixels, float factor) noexcept {
  const std::size_t count = pixels.size() / 3;
  if (count == 0) return;
  double sum = 0.0;
  for (std::size_t i = 0; i + 2 < pixels.size(); i += 3) sum += static_cast<double>(grey_of(&pixels[i]));
  const auto mean = static_cast<float>(sum / static_cast<double>(count));
  for (float& value : pixels) value = clamped(factor * value + (1.0F - factor) * mean);
}

void adjust_saturation(std::span<float> pixels, float factor) noexcept {
  for (std::size_t i = 0; i + 2 < pixels.size(); i += 3) {
    const float grey = grey_of(&pixels[i]);
    for (std::size_t channel = i; channel < i + 3; ++channel) {
      pixels[channel] = clamped(factor * pixels[channel] + (1.0F - factor) * grey);
    }
  }
}

void adjust_hue(std::span<float> pixels, float shift) noexcept {
  for (std::size_t i = 0; i + 2 < pixels.size(); i += 3) {
    float* const pixel = &pixels[i];
    const float largest = std::max({pixel[0], pixel[1], pixel[2]});
    const float range = largest - std::min({pixel[0], pixel[1], pixel[2]});
    const float saturation = largest == 0.0F ? 0.0F : range / largest;
    const float turned = hue_of(pixel, largest, range) + shift;
    const float sixths = 6.0F * (turned - std::floor(turned));
    const float whole = std::floor(sixths);
    const float part = sixths - whole;
    const float low = clamped(largest * (1.0F - saturation));
    const float falling = clamped(largest * (1.0F - saturation * part));
    const float rising = clamped(largest * (1.0F - saturation * (1.0F - part)));
    switch (static_cast<int>(whole) % 6) {
      case 0:
        pixel[0] = largest, pixel[1] = rising, pixel[2] = low;
        break;
      case 1:
        pixel[0] = falling, pixel[1] = largest, pixel[2] = low;
        break;
      case 2:
        pixel[0] = low, pixel[1] = largest, pixel[2] = rising;
        break;
      case 3:
        pixel[0] = low, pixel[1] = falling, pixel[2] = largest;
        break;
      case 4:
        pixel[0] = rising, pixel[1] = low, pixel[2] = largest;
        break;
      default:
        pixel[0] = largest, pixel[1] = low, pixel[2] = falling;
        break;
    }
  }
}

void jitter_colors(std::span<float> pixels, const color_jitter& jitter, const philox& random,
                   std::uint64_t first) noexcept {
  std::array<int, 4> order = {0, 1, 2, 3};
  for (std::size_t left = order.size(); left > 1; --left) {
    std::swap(order[left - 1], order[random.below(first + left - 2, left)]);
  }
  const auto drawn = [&](std::uint64_t which, float low, float high) {
    return low + (high - low) * static_cast<float>(random.uniform(first + 3 + which));
  };
  const auto factor = [&](std::uint64_t which, float by) {
    return drawn(which, std::max(0.0F, 1.0F - by), 1.0F + by);
  };
  for (const int each : order) {
    if (each == 0 && jitter.brightness > 0.0F) adjust_brightness(pixels, factor(0, jitter.brightness));
    if (each == 1 && jitter.contrast > 0.0F) adjust_contrast(pixels, factor(1, jitter.contrast));
    if (each == 2 && jitter.saturation > 0.0F) adjust_saturation(pixels, factor(2, jitter.saturation));
    if (each == 3 && jitter.hue > 0.0F) adjust_hue(pixels, drawn(3, -jitter.hue, jitter.hue));
  }
}

}  // namespace weft
