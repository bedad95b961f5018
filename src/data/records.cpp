#include <weft/core/error.hpp>
#include <weft/data/records.hpp>

#include <cmath>    // for std::isfinite
#include <cstddef>  // for std::size_t
#include <string>   // for std::to_string

namespace weft {

image_set_source::image_set_source(const image_set& set, const normalize& scale) : set_(&set), scale_(scale) {
  if (!std::isfinite(scale.mean) || !std::isfinite(scale.deviation) || scale.deviation == 0.0) {
    throw invalid_argument("image_set_source: mean " + std::to_string(scale.mean) + " and deviation " +
                           std::to_string(scale.deviation) + " must be finite, and the deviation not 0");
  }
}

void image_set_source::prepare(batch_type& batch, std::int64_t samples) const {
  const shape<2> extents = {samples, set_->image_size()};
  if (batch.images.extents() != extents) batch.images = tensor<float, 2>(extents);
  if (batch.labels.extents() != shape<1>{samples}) batch.labels = tensor<std::int32_t, 1>({samples});
}

std::int64_t image_set_source::load(const sample_request& request, batch_type& batch) const {
  return load_rows({.indices = {&request.index, 1}, .row = request.row}, batch);
}

std::int64_t image_set_source::load_rows(const sample_rows& rows, batch_type& batch) const {
  const auto count = static_cast<std::int64_t>(rows.indices.size());
  const tensor_view<const std::uint8_t, 2> pixels(set_->pixels.data(), {set_->count, set_->image_size()});
  scale_(cpu_context{}, pixels, tensor_view<const std::int64_t, 1>(rows.indices.data(), {count}),
         batch.images.view().slice(rows.row, rows.row + count));
  std::int32_t* label = batch.labels.data() + rows.row;
  for (const std::int64_t index : rows.indices) *label++ = set_->labels[static_cast<std::size_t>(index)];
  return count * set_->image_size();
}

void image_set_source::keep(batch_type& batch, std::span<const std::int64_t> rows) const {
  batch.images = detail::kept_rows(batch.images, rows);
  batch.labels = detail::kept_rows(batch.labels, rows);
}

}  // namespace weft
