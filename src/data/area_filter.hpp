#pragma once

#include <weft/data/image_target.hpp>

#include <cstdint>  // for std::int64_t, std::uint8_t
#include <vector>   // for std::vector

namespace weft {

/// Makes the target of an area of an image that is decoded row by row, by a filter over all pixels that a new
/// one covers: Pillow's way (Resample.c), in floats. Pixels beside the area are left out.
class area_filter {
 public:
  /// @param area in pixels of the image, which has so many rows and cols and is decoded to so many
  area_filter(const image_target& target, const image_area& area, std::int64_t rows, std::int64_t cols,
              std::int64_t decoded_rows, std::int64_t decoded_cols);

  /// The first decoded row that is needed.
  std::int64_t begin_row() const noexcept { return down_.sources.front().begin; }
  /// The first decoded column that is needed.
  std::int64_t begin_col() const noexcept { return across_.sources.front().begin; }
  /// One behind the last decoded column that is needed.
  std::int64_t end_col() const noexcept { return across_.sources.back().end; }

  /// @param first_col the decoded column that a read row begins with; @param cols how many it has
  /// @param read_row writes the next decoded row, from begin_row(); @param out the target
  template <class ReadRow>
  void run(std::int64_t first_col, std::int64_t cols, const ReadRow& read_row, float* out) {
    begin(cols, out);
    for (std::int64_t row = begin_row(); row < down_.sources.back().end; ++row) {
      read_row(row_.data());
      add_row(row, first_col, out);
    }
    normalize(out);
  }

 private:
  /// Which pixels a new one is made of, and where their weights are.
  struct source {
    std::int64_t begin;
    std::int64_t end;
    std::size_t weights;
  };
  struct axis {
    std::vector<source> sources;
    std::vector<float> weights;
  };

  static axis axis_of(resize_method method, std::int64_t wanted, double begin, double length,
                      std::int64_t available);
  void begin(std::int64_t cols, float* out);
  void add_row(std::int64_t row, std::int64_t first_col, float* out);
  void normalize(float* out) const noexcept;

  const image_target& target_;
  axis down_;
  axis across_;
  std::vector<std::uint8_t> row_;
  std::vector<float> resized_;    // the row, of the target's width
  std::size_t first_output_ = 0;  // the first that needs more rows
};

}  // namespace weft
