#pragma once

#include <array>       // for std::array
#include <cstdint>     // for std::int64_t, std::uint8_t
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

/// How pixels of another size are made.
enum class resize_method : std::uint8_t {
  /// Between the nearest two pixels in each direction: fast.
  bilinear,
  /// Cubic convolution with a = -0.5 (Keys, 1981), over more pixels where the image is made smaller: Pillow's
  /// BICUBIC.
  bicubic,
  /// The average of the pixels that a new one covers, as far as it does: Pillow's BOX.
  area,
};

/// What becomes of a decoded image.
struct image_target {
  /// The height of the result.
  std::int64_t rows = 224;
  /// The width of the result.
  std::int64_t cols = 224;
  /// Whether left and right change places.
  bool flip = false;
  /// How it gets its size.
  resize_method method = resize_method::bilinear;
  /// Subtracted from each channel's value / 255; red, green, blue.
  std::array<float, 3> mean = {0.0F, 0.0F, 0.0F};
  /// Divides the difference; not 0.
  std::array<float, 3> deviation = {1.0F, 1.0F, 1.0F};
};

/// Chooses the part of an image that is wanted, from its height and width; it must lie inside.
using choose_area = std::function<image_area(std::int64_t rows, std::int64_t cols)>;

}  // namespace weft
