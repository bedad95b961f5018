#pragma once

#include <weft/core/philox.hpp>

#include <array>    // for std::array
#include <cstdint>  // for std::int64_t, std::uint8_t
#include <span>     // for std::span
#include <string>   // for std::string

namespace weft {

/// What becomes of an image file in a batch.
struct image_options {
  /// The height of an image in the batch.
  std::int64_t rows = 224;
  /// The width of an image in the batch.
  std::int64_t cols = 224;
  /// Whether a random part is taken: an area of 8 to 100 % of the image's, of a ratio of 3:4 to 4:3 (Szegedy
  /// et al., "Going deeper with convolutions", 2015). Otherwise the largest part in the middle that has the
  /// batch's ratio.
  bool random_crop = false;
  /// Whether every other image, by chance, is flipped.
  bool random_flip = false;
  /// Subtracted from each channel's value / 255; red, green, blue.
  std::array<float, 3> mean = {0.0F, 0.0F, 0.0F};
  /// Divides the difference; not 0.
  std::array<float, 3> deviation = {1.0F, 1.0F, 1.0F};
};

/// Decodes an image file as the options say: decode_png() if it begins as a PNG, decode_jpeg()
/// otherwise, with a part and a flip drawn from random.
///
/// @param content the file's bytes; @param name what errors call it, mostly the path
/// @param options what becomes of it
/// @param random what the part and the flip are drawn from
/// @param out the result, [options.rows, options.cols, 3], red, green, blue; on an exception unspecified
/// @throws what these throw
/// Thread safety: safe.
void decode_image(std::span<const std::uint8_t> content, const std::string& name,
                  const image_options& options, const philox& random, std::span<float> out);

}  // namespace weft
