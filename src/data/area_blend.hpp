#pragma once

#include <weft/data/image_target.hpp>

#include <array>    // for std::array
#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::int64_t, std::uint8_t
#include <string>   // for std::string
#include <utility>  // for std::swap
#include <vector>   // for std::vector

namespace weft {

/// Images of more pixels are refused.
constexpr std::int64_t most_pixels = std::int64_t{1} << 28;

/// Throws invalid_argument, naming the function, if the target cannot be or does not have so many floats.
void check(const image_target& target, std::size_t floats, const char* function);
/// Throws invalid_argument, naming the image, if the area is empty or not within so many rows and columns.
void check(const image_area& area, std::int64_t rows, std::int64_t cols, const std::string& name);

/// 1, 2, 4 or 8: at 1 / so much of the size the area still has at least the target's pixels in both
/// directions.
unsigned divisor_of(const image_area& area, const image_target& target) noexcept;

/// Makes the target of an area of an image that is decoded row by row, perhaps smaller than it is: bilinear
/// between pixel centres, edges repeated, normalised.
class area_blend {
 public:
  /// @param area in pixels of the image, which has so many rows and cols and is decoded to so many
  area_blend(const image_target& target, const image_area& area, std::int64_t rows, std::int64_t cols,
             std::int64_t decoded_rows, std::int64_t decoded_cols) noexcept;

  /// The first decoded row that is needed.
  std::int64_t begin_row() const noexcept { return row_source(0).first; }
  /// The first decoded column that is needed.
  std::int64_t begin_col() const noexcept { return col_source(0).first; }
  /// One behind the last decoded column that is needed.
  std::int64_t end_col() const noexcept { return col_source(target_.cols - 1).second + 1; }

  /// @param first_col the decoded column that a read row begins with; @param cols how many it has
  /// @param read_row writes the next decoded row, from begin_row(); @param out the target
  template <class ReadRow>
  void run(std::int64_t first_col, std::int64_t cols, const ReadRow& read_row, float* out) const {
    scratch& buffers = prepared(first_col, cols);
    std::int64_t decoded = begin_row();  // rows; the last one is in lower, the one before it in upper
    for (std::int64_t row = 0; row < target_.rows; ++row, out += 3 * target_.cols) {
      const between here = row_source(row);
      while (decoded <= here.second) {
        std::swap(buffers.upper, buffers.lower);
        read_row(buffers.lower.data());
        ++decoded;
      }
      // In the last row of the image there is no other below; upper is any row then.
      blend(buffers, here.first == here.second ? 1.0F : here.share, out);
    }
  }

 private:
  /// Where one row or column of the result comes from: first + share of the way to the next.
  struct between {
    std::int64_t first;
    std::int64_t second;
    float share;
  };

  /// Of a column of the result: the place of its two pixels' first values in a row, and the share of the
  /// second.
  struct column_source {
    std::int32_t first;
    std::int32_t second;
    float share;
  };

  struct scratch {
    std::vector<column_source> columns;
    std::vector<std::uint8_t> upper;
    std::vector<std::uint8_t> lower;
    std::vector<float> row;
  };

  static between source_of(std::int64_t index, std::int64_t wanted, double begin, double length,
                           std::int64_t available) noexcept;
  between row_source(std::int64_t row) const noexcept {
    return source_of(row, target_.rows, area_.top, area_.rows, decoded_rows_);
  }
  between col_source(std::int64_t col) const noexcept {
    return source_of(col, target_.cols, area_.left, area_.cols, decoded_cols_);
  }
  /// This thread's buffers.
  scratch& prepared(std::int64_t first_col, std::int64_t cols) const;
  void blend(scratch& buffers, float share, float* out) const noexcept;

  const image_target& target_;
  image_area area_;  // in decoded pixels
  std::int64_t decoded_rows_;
  std::int64_t decoded_cols_;
};

}  // namespace weft
