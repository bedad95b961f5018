#pragma once

#include <png.h>  // for png_image_write_to_memory

#include <cstdint>  // for std::uint8_t
#include <cstdlib>  // for std::abort
#include <vector>   // for std::vector

namespace weft::test {

/// A PNG of these values, in one of libpng's formats: PNG_FORMAT_RGB, PNG_FORMAT_GRAY ...
inline std::vector<std::uint8_t> png(int rows, int cols, png_uint_32 format,
                                     const std::vector<std::uint8_t>& values) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(cols);
  image.height = static_cast<png_uint_32>(rows);
  image.format = format;
  if (values.size() != PNG_IMAGE_SIZE(image)) std::abort();
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::vector<std::uint8_t> out(size);
  if (png_image_write_to_memory(&image, out.data(), &size, 0, values.data(), 0, nullptr) == 0) std::abort();
  out.resize(size);
  return out;
}

}  // namespace weft::test
