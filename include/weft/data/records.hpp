#pragma once

#include <weft/compute/kernels/gather_rows.hpp>
#include <weft/compute/tensor.hpp>
#include <weft/core/error.hpp>
#include <weft/data/collate.hpp>
#include <weft/data/detail/kept_rows.hpp>
#include <weft/data/image_set.hpp>
#include <weft/data/loader_options.hpp>

#include <cstdint>      // for std::int32_t, std::int64_t
#include <span>         // for std::span
#include <type_traits>  // for std::type_identity_t

namespace weft {

/// Records stacked for one step, as they are.
template <class T>
struct record_batch {
  /// The records, [samples, values].
  tensor<T, 2> values;
  /// Their labels, [samples].
  tensor<std::int32_t, 1> labels;

  /// How many records there are.
  std::int64_t size() const noexcept { return labels.size(); }
};

/// A loader's source: labelled rows of a matrix in memory, e.g. of a mapped file, copied as they are. It
/// borrows both, which must outlive it.
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
template <class T>
class record_source {
 public:
  /// What a loader's batches are.
  using batch_type = record_batch<T>;

  /// @param values the records, [samples, values]; @param labels one a record, [samples]
  /// @throws shape_error if there is not one label a record
  record_source(tensor_view<const T, 2> values, tensor_view<const std::int32_t, 1> labels)
      : values_(values), labels_(labels) {
    require_same_shape("record_source", "labels", labels.extents(), "one a record",
                       shape<1>{values.extent(0)});
  }

  /// How many records there are.
  std::int64_t size() const noexcept { return values_.extent(0); }

  /// Gives a batch place for so many records. @param batch whose memory is used again if it has the right
  /// shape
  /// @param samples how many
  void prepare(batch_type& batch, std::int64_t samples) const {
    const shape<2> extents = {samples, values_.extent(1)};
    if (batch.values.extents() != extents) batch.values = tensor<T, 2>(extents);
    if (batch.labels.extents() != shape<1>{samples}) batch.labels = tensor<std::int32_t, 1>({samples});
  }

  /// Copies one record into its row. @param request which one, and where to @param batch prepared for more
  /// rows than request.row
  /// @return its size in bytes
  std::int64_t load(const sample_request& request, batch_type& batch) const {
    return load_rows({.indices = {&request.index, 1}, .row = request.row}, batch);
  }

  /// Copies several records into their rows. @param rows which ones, and where to @param batch prepared for
  /// them
  /// @return their size in bytes
  std::int64_t load_rows(const sample_rows& rows, batch_type& batch) const {
    const auto count = static_cast<std::int64_t>(rows.indices.size());
    const tensor_view<const std::int64_t, 1> indices(rows.indices.data(), {count});
    gather_rows{}(cpu_context{}, values_, indices, batch.values.view().slice(rows.row, rows.row + count));
    std::int32_t* label = batch.labels.data() + rows.row;
    for (const std::int64_t index : rows.indices) *label++ = labels_.data()[index];
    return count * values_.extent(1) * static_cast<std::int64_t>(sizeof(T));
  }

  /// Drops all rows but these. @param batch what is made smaller @param rows ascending
  void keep(batch_type& batch, std::span<const std::int64_t> rows) const {
    batch.values = detail::kept_rows(batch.values, rows);
    batch.labels = detail::kept_rows(batch.labels, rows);
  }

 private:
  tensor_view<const T, 2> values_;
  tensor_view<const std::int32_t, 1> labels_;
};

/// A loader's source: the images of a set in memory as normalised floats, the batches that collate() makes.
/// It borrows the set, which must outlive it.
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
class image_set_source {
 public:
  /// What a loader's batches are.
  using batch_type = image_batch;

  /// @param set where the samples are taken from; @param scale how pixels become floats
  /// @throws invalid_argument if scale.deviation is 0 or not finite
  image_set_source(const image_set& set, const normalize& scale);

  /// How many images there are.
  std::int64_t size() const noexcept { return set_->count; }

  /// Gives a batch place for so many images. @param batch whose memory is used again if it has the right
  /// shape
  /// @param samples how many
  void prepare(batch_type& batch, std::int64_t samples) const;

  /// Decodes one image into its row. @param request which one, and where to @param batch prepared for more
  /// rows than request.row
  /// @return the size of its pixels in bytes
  std::int64_t load(const sample_request& request, batch_type& batch) const;

  /// Decodes several images into their rows. @param rows which ones, and where to @param batch prepared for
  /// them
  /// @return the size of their pixels in bytes
  std::int64_t load_rows(const sample_rows& rows, batch_type& batch) const;

  /// Drops all rows but these. @param batch what is made smaller @param rows ascending
  void keep(batch_type& batch, std::span<const std::int64_t> rows) const;

 private:
  const image_set* set_;
  normalize scale_;
};

}  // namespace weft
