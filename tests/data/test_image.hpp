#pragma once

#include <weft/data/image_target.hpp>

#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::int64_t, std::uint8_t
#include <span>     // for std::span
#include <string>   // for std::string
#include <vector>   // for std::vector

namespace weft::test {

inline image_area whole_image(std::int64_t rows, std::int64_t cols) {
  return {0.0, 0.0, static_cast<double>(rows), static_cast<double>(cols)};
}

/// Calls decode_jpeg() or decode_png(), for what a file becomes, [rows, cols, 3].
struct image_decoder {
  void (*function)(std::span<const std::uint8_t>, const std::string&, const image_target&, const choose_area&,
                   std::span<float>);

  std::vector<float> operator()(const std::vector<std::uint8_t>& content, const image_target& target,
                                const choose_area& area = whole_image) const {
    std::vector<float> out(static_cast<std::size_t>(target.rows * target.cols * 3), -100.0F);
    function(content, "a.image", target, area, out);
    return out;
  }
};

}  // namespace weft::test
