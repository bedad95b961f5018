#pragma once

#include <weft/compute/dtype.hpp>
#include <weft/core/error.hpp>
#include <weft/data/detail/kept_rows.hpp>
#include <weft/data/loader_options.hpp>
#include <weft/data/records.hpp>
#include <weft/data/stored_array.hpp>

#include <cstdint>  // for std::int32_t, std::int64_t
#include <span>     // for std::span, std::as_writable_bytes
#include <string>   // for std::string
#include <utility>  // for std::move
#include <vector>   // for std::vector

namespace weft {

/// A loader's source: the rows of an array in a file, read straight into the batch, with or without labels.
/// Memory: the labels.
///
///     weft::array_rows<float> source(weft::stored_array::npy("x.npy"),
///     weft::stored_array::npy("y.npy").labels());
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
template <class T>
class array_rows {
 public:
  /// What a loader's batches are.
  using batch_type = record_batch<T>;

  /// @param values the records
  /// @param labels one a record; with none at all, every label is -1
  /// @throws format_error if the values are of another type than T; shape_error if there is not one label a
  /// record
  explicit array_rows(stored_array values, std::vector<std::int32_t> labels = {})
      : values_(std::move(values)), labels_(std::move(labels)) {
    values_.require(dtype_of_v<T>);
    if (labels_.empty()) return;
    require_same_shape("array_rows", "labels", shape<1>{static_cast<std::int64_t>(labels_.size())},
                       "one a record", shape<1>{values_.rows()});
  }

  /// How many records there are.
  std::int64_t size() const noexcept { return values_.rows(); }
  /// The file and the row. @param index which record
  std::string name(std::int64_t index) const { return values_.name() + ": row " + std::to_string(index); }

  /// Gives a batch place for so many records. @param batch whose memory is used again if it has the right
  /// shape
  /// @param samples how many
  void prepare(batch_type& batch, std::int64_t samples) const {
    const shape<2> extents = {samples, values_.row_size()};
    if (batch.values.extents() != extents) batch.values = tensor<T, 2>(extents);
    if (batch.labels.extents() != shape<1>{samples}) batch.labels = tensor<std::int32_t, 1>({samples});
  }

  /// Reads one record into its row. @param request which one, and where to @param batch prepared for more
  /// rows than request.row
  /// @return its size in bytes
  /// @throws what stored_array::read_rows() throws
  std::int64_t load(const sample_request& request, batch_type& batch) const {
    return load_rows({.indices = {&request.index, 1}, .row = request.row}, batch);
  }

  /// Reads several records into their rows. @param rows which ones, and where to @param batch prepared for
  /// them
  /// @return their size in bytes
  /// @throws what stored_array::read_rows() throws
  std::int64_t load_rows(const sample_rows& rows, batch_type& batch) const {
    const auto count = static_cast<std::int64_t>(rows.indices.size());
    const auto place =
        std::as_writable_bytes(batch.values.view().slice(rows.row, rows.row + count).elements());
    values_.read_rows(rows.indices, place);
    std::int32_t* label = batch.labels.data() + rows.row;
    for (const std::int64_t index : rows.indices) {
      *label++ = labels_.empty() ? -1 : labels_[static_cast<std::size_t>(index)];
    }
    return static_cast<std::int64_t>(place.size());
  }

  /// Drops all rows but these. @param batch what is made smaller @param rows ascending
  void keep(batch_type& batch, std::span<const std::int64_t> rows) const {
    batch.values = detail::kept_rows(batch.values, rows);
    batch.labels = detail::kept_rows(batch.labels, rows);
  }

 private:
  stored_array values_;
  std::vector<std::int32_t> labels_;
};

}  // namespace weft
