#include <weft/core/error.hpp>
#include <weft/data/collate.hpp>
#include <weft/data/records.hpp>

#include <array>    // for std::array
#include <cmath>    // for std::sqrt
#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::uint8_t, std::int32_t, std::int64_t
#include <string>   // for std::to_string

namespace weft {

normalize measure_normalization(const image_set& set) {
  if (set.pixels.empty()) return {};
  std::array<std::int64_t, 256> histogram{};
  for (const std::uint8_t pixel : set.pixels) ++histogram[pixel];
  const auto count = static_cast<double>(set.pixels.size());
  double mean = 0.0;
  for (std::size_t value = 0; value < histogram.size(); ++value) {
    mean += static_cast<double>(histogram[value]) * static_cast<double>(value) / count;
  }
  double variance = 0.0;
  for (std::size_t value = 0; value < histogram.size(); ++value) {
    const double distance = static_cast<double>(value) - mean;
    variance += static_cast<double>(histogram[value]) * distance * distance / count;
  }
  const double deviation = std::sqrt(variance);
  return {.mean = mean / 255.0, .deviation = deviation > 0.0 ? deviation / 255.0 : 1.0};
}

image_batch collate(const image_set& set, std::span<const std::int64_t> indices, const normalize& scale) {
  image_batch batch;
  collate_into(set, indices, scale, batch);
  return batch;
}

void collate_into(const image_set& set, std::span<const std::int64_t> indices, const normalize& scale,
                  image_batch& batch) {
  const image_set_source source(set, scale);
  source.prepare(batch, static_cast<std::int64_t>(indices.size()));
  source.load_rows({.indices = indices}, batch);
}

tensor<float, 2> one_hot(tensor_view<const std::int32_t, 1> labels, std::int64_t classes) {
  if (classes < 1) {
    throw invalid_argument("one_hot: classes is " + std::to_string(classes) + "; it must be at least 1");
  }
  tensor<float, 2> rows({labels.size(), classes});
  for (std::int64_t row = 0; row < labels.size(); ++row) {
    const std::int32_t label = labels(row);
    if (label < 0 || label >= classes) {
      throw invalid_argument("one_hot: label " + std::to_string(label) + " of sample " + std::to_string(row) +
                             " is not in [0, " + std::to_string(classes) + ")");
    }
    rows(row, label) = 1.0F;
  }
  return rows;
}

}  // namespace weft
