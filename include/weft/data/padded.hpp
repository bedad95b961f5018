#pragma once

#include <weft/compute/tensor.hpp>
#include <weft/core/error.hpp>
#include <weft/data/loader.hpp>

#include <algorithm>    // for std::copy, std::fill, std::max
#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::int64_t
#include <ranges>       // for std::ranges::contiguous_range
#include <span>         // for std::span
#include <string>       // for std::to_string
#include <type_traits>  // for std::is_trivially_copyable_v, std::is_same_v
#include <utility>      // for std::move, std::swap
#include <vector>       // for std::vector

namespace weft {

/// How samples of different lengths become the rows of one tensor.
template <class T>
struct padding_options {
  /// What stands behind the end of a sample.
  T value = {};
  /// The length of every row; 0 for that of the batch's longest sample. A longer sample is a bad one.
  std::int64_t length = 0;
  /// Rows of the longest sample's length are made longer, to a multiple of this.
  std::int64_t multiple = 1;
};

/// Samples of different lengths as rows of one tensor.
template <class T>
struct padded_batch {
  /// The samples, [samples, length], each padded at its end.
  tensor<T, 2> values;
  /// How long each sample is, [samples].
  tensor<std::int64_t, 1> lengths;
  /// The samples before they were put together; their memory is used again.
  std::vector<std::vector<T>> samples;

  /// How many samples there are.
  std::int64_t size() const noexcept { return lengths.size(); }
};

/// A loader's source: the samples of another one, which are contiguous ranges of numbers, padded to the same
/// length in each batch. With loader_options::lengths, samples of similar length come together.
///
///     weft::loader batches(pool, weft::padded_source(sentences, {.multiple = 8}), {.lengths = lengths});
///
/// The longest sample is that of the rank's own part of the batch.
///
/// Thread safety: as that of the source.
template <value_source Source>
class padded_source {
  using sample_type = std::remove_cvref_t<decltype(std::declval<const Source&>().load(std::int64_t{0}))>;
  static_assert(std::ranges::contiguous_range<sample_type> && std::ranges::sized_range<sample_type>,
                "samples are padded that are contiguous ranges, e.g. a std::vector<float>");

 public:
  /// A sample's elements.
  using element_type = std::ranges::range_value_t<sample_type>;
  static_assert(std::is_trivially_copyable_v<element_type>, "elements are plain values");
  /// What a loader's batches are.
  using batch_type = padded_batch<element_type>;

  /// @param source whose samples are padded, moved in; @param options see there
  /// @throws invalid_argument if a length is negative or multiple is below 1
  explicit padded_source(Source source, padding_options<element_type> options = {})
      : source_(std::move(source)), options_(options) {
    if (options.length < 0 || options.multiple < 1) {
      throw invalid_argument("padded_source: length is " + std::to_string(options.length) +
                             " and multiple is " + std::to_string(options.multiple) +
                             "; length must be positive, or 0 for the longest, and multiple at least 1");
    }
  }

  /// How many samples there are.
  std::int64_t size() const { return static_cast<std::int64_t>(source_.size()); }

  /// What the source calls a sample. @param index which one
  std::string name(std::int64_t index) const {
    if constexpr (requires { source_.name(index); }) {
      return source_.name(index);
    } else {
      return "sample " + std::to_string(index);
    }
  }

  /// Gives a batch place. @param batch whose memory is used again @param samples how many
  void prepare(batch_type& batch, std::int64_t samples) const {
    batch.samples.resize(static_cast<std::size_t>(samples));
  }

  /// Loads one sample. @param request which one, and where to; @param batch prepared for it
  /// @return its size in bytes
  /// @throws invalid_argument if it is longer than the length; what the source throws
  std::int64_t load(const sample_request& request, batch_type& batch) const {
    auto&& sample = source_.load(request.index);
    const auto length = static_cast<std::int64_t>(std::ranges::size(sample));
    if (options_.length != 0 && length > options_.length) {
      throw invalid_argument("the sample has a length of " + std::to_string(length) + ", rows one of " +
                             std::to_string(options_.length));
    }
    std::vector<element_type>& row = batch.samples[static_cast<std::size_t>(request.row)];
    if constexpr (std::is_same_v<decltype(sample), std::vector<element_type>&&>) {
      row = std::move(sample);
    } else {
      row.assign(std::ranges::begin(sample), std::ranges::end(sample));
    }
    return length * static_cast<std::int64_t>(sizeof(element_type));
  }

  /// Drops all rows but these. @param batch what is made smaller @param rows ascending
  void keep(batch_type& batch, std::span<const std::int64_t> rows) const {
    std::size_t kept = 0;
    for (const std::int64_t row : rows)
      std::swap(batch.samples[kept++], batch.samples[static_cast<std::size_t>(row)]);
    batch.samples.resize(kept);
  }

  /// Puts the samples together. @param batch all of whose samples are loaded
  void finish(batch_type& batch) const {
    std::size_t longest = 0;
    for (const auto& sample : batch.samples) longest = std::max(longest, sample.size());
    const std::int64_t width = options_.length != 0 ? options_.length : rounded(longest);
    const auto rows = static_cast<std::int64_t>(batch.samples.size());
    if (batch.values.extents() != shape<2>{rows, width})
      batch.values = tensor<element_type, 2>({rows, width});
    if (batch.lengths.extents() != shape<1>{rows}) batch.lengths = tensor<std::int64_t, 1>({rows});
    element_type* to = batch.values.data();
    std::int64_t row = 0;
    for (const auto& sample : batch.samples) {
      element_type* const end = to + width;
      std::fill(std::copy(sample.begin(), sample.end(), to), end, options_.value);
      to = end;
      batch.lengths(row++) = static_cast<std::int64_t>(sample.size());
    }
  }

 private:
  std::int64_t rounded(std::size_t length) const noexcept {
    return (static_cast<std::int64_t>(length) + options_.multiple - 1) / options_.multiple *
           options_.multiple;
  }

  Source source_;
  padding_options<element_type> options_;
};

}  // namespace weft
