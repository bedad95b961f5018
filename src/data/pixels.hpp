#pragma once

#include <data/area_blend.hpp>
#include <data/area_filter.hpp>

#include <cstdint>  // for std::int64_t, std::uint8_t
#include <cstring>  // for std::memcpy
#include <span>     // for std::span
#include <string>   // for std::string
#include <vector>   // for std::vector

namespace weft {

/// A decoded image in memory.
struct image_pixels {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  const std::uint8_t* values = nullptr;  // [rows, cols, 3]
};

/// Makes the target of an image in memory that was rows x cols before it was perhaps made smaller.
inline void place_pixels(const image_pixels& image, const image_target& target, const image_area& area,
                         std::int64_t rows, std::int64_t cols, float* out) {
  const auto run = [&](auto resize) {
    const std::uint8_t* next = image.values + 3 * resize.begin_row() * image.cols;
    const auto read_row = [&](std::uint8_t* row) {
      std::memcpy(row, next, static_cast<std::size_t>(3 * image.cols));
      next += 3 * image.cols;
    };
    resize.run(0, image.cols, read_row, out);
  };
  if (target.method == resize_method::bilinear) {
    run(area_blend(target, area, rows, cols, image.rows, image.cols));
  } else {
    run(area_filter(target, area, rows, cols, image.rows, image.cols));
  }
}

/// All pixels of a JPEG or a PNG at their own size, [rows, cols, 3]. They throw as decode_jpeg() and
/// decode_png().
image_pixels decode_jpeg_pixels(std::span<const std::uint8_t> content, const std::string& name,
                                std::vector<std::uint8_t>& values);
image_pixels decode_png_pixels(std::span<const std::uint8_t> content, const std::string& name,
                               std::vector<std::uint8_t>& values);

}  // namespace weft
