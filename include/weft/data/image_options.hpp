#pragma once

#include <weft/core/philox.hpp>
#include <weft/data/color_jitter.hpp>
#include <weft/data/image_target.hpp>
#include <weft/data/sample_cache.hpp>

#include <array>    // for std::array
#include <cstdint>  // for std::int64_t, std::uint8_t
#include <memory>   // for std::shared_ptr
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
  /// How the part gets its size.
  resize_method resize = resize_method::bilinear;
  /// By how much colours are changed, before the mean is subtracted.
  color_jitter jitter = {};
  /// Subtracted from each channel's value / 255; red, green, blue.
  std::array<float, 3> mean = {0.0F, 0.0F, 0.0F};
  /// Divides the difference; not 0.
  std::array<float, 3> deviation = {1.0F, 1.0F, 1.0F};
  /// If given, where images are kept once they were read; for one set only.
  std::shared_ptr<sample_cache> cache = nullptr;
  /// Whether the cache keeps decoded pixels, 3 bytes each, or the files as they are.
  bool cache_decoded = false;
};

/// Decodes an image file as the options say: decode_png() if it begins as a PNG, decode_jpeg()
/// otherwise, with a part, a flip and colours drawn from random. The cache is not asked.
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
