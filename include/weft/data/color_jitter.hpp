#pragma once

#include <weft/core/philox.hpp>

#include <cstdint>  // for std::uint64_t
#include <span>     // for std::span

namespace weft {

/// By how much the colours of an image are changed at random, as by torchvision's ColorJitter: a factor is
/// drawn from [1 - x, 1 + x], but not below 0, and a hue's shift from [-hue, hue]; 0 changes nothing.
struct color_jitter {
  /// Not negative.
  float brightness = 0.0F;
  /// Not negative.
  float contrast = 0.0F;
  /// Not negative.
  float saturation = 0.0F;
  /// From 0 to 0.5, which is half of the circle of colours.
  float hue = 0.0F;

  /// Whether anything is changed.
  bool empty() const noexcept {
    return brightness == 0.0F && contrast == 0.0F && saturation == 0.0F && hue == 0.0F;
  }
};

/// Multiplies every value by a factor. Definitions, weights and clamping to [0, 1] of these functions are
/// torchvision's for tensors of floats.
///
/// @param pixels red, green, blue, red ... in [0, 1]; a multiple of three
/// @param factor 0 for black, 1 for no change
/// Thread safety: safe for distinct pixels; so are the others.
void adjust_brightness(std::span<float> pixels, float factor) noexcept;

/// Moves every value from the mean grey of all pixels, or towards it. @param pixels see adjust_brightness()
/// @param factor 0 for grey, 1 for no change
void adjust_contrast(std::span<float> pixels, float factor) noexcept;

/// Moves every pixel from its own grey, or towards it. @param pixels see adjust_brightness()
/// @param factor 0 for grey, 1 for no change
void adjust_saturation(std::span<float> pixels, float factor) noexcept;

/// Turns every pixel's hue. @param pixels see adjust_brightness() @param shift in circles, from -0.5 to 0.5
void adjust_hue(std::span<float> pixels, float shift) noexcept;

/// Does these four in a random order with random factors.
///
/// @param pixels see adjust_brightness(); @param jitter by how much
/// @param random what order and factors are drawn from; @param first which of its numbers, of eight
void jitter_colors(std::span<float> pixels, const color_jitter& jitter, const philox& random,
                   std::uint64_t first = 0) noexcept;

}  // namespace weft
