#pragma once

#include <array>       // for std::array
#include <cstdint>     // for std::int64_t
#include <functional>  // for std::function

namespace weft {

/// A rectangle of an image, in pixels from its upper left corner.
struct image_area {
  /// The first row.
  double top = 0.0;
  /// The first column.
  double left = 0.0;
  /// The height, positive.
  double rows = 0.0;
  /// The width, positive.
  double cols = 0.0;
};

/// What becomes of a decoded image.
struct image_target {
  /// The height of the result.
  std::int64_t rows = 224;
  /// The width of the result.
  std::int64_t cols = 224;
  /// Whether left and right change places.
  bool flip = false;
  /// Subtracted from each channel's value / 255; red, green, blue.
  std::array<float, 3> mean = {0.0F, 0.0F, 0.0F};
  /// Divides the difference; not 0.
  std::array<float, 3> deviation = {1.0F, 1.0F, 1.0F};
};

/// Chooses the part of an image that is wanted, from its height and width; it must lie inside.
using choose_area = std::function<image_area(std::int64_t rows, std::int64_t cols)>;

}  // namespace weft
