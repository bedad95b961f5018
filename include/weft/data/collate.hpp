#pragma once

#include <weft/compute/kernels/normalize.hpp>
#include <weft/compute/tensor.hpp>
#include <weft/data/image_set.hpp>

#include <cstdint>  // for std::int32_t, std::int64_t
#include <span>     // for std::span

namespace weft {

/// The mean and the standard deviation of all pixels of a set, so that its normalised pixels have mean 0 and
/// deviation 1. Exact sums, so the result does not depend on the order of the images. A set whose pixels are
/// all equal, or that is empty, gets deviation 1.
normalize measure_normalization(const image_set& set);

/// Samples stacked for one training step.
struct image_batch {
  /// The normalised images, [samples, rows * cols * channels].
  tensor<float, 2> images;
  /// Their labels, [samples].
  tensor<std::int32_t, 1> labels;

  /// How many samples there are.
  std::int64_t size() const noexcept { return labels.size(); }
};

/// Decodes and stacks the samples with these indices, in this order.
///
/// @param set     where they are taken from
/// @param indices which ones; may repeat
/// @param scale   how pixels become floats
/// @throws invalid_argument if an index is outside the set, or if scale.deviation is 0 or not finite
/// Thread safety: safe; it reads set only.
image_batch collate(const image_set& set, std::span<const std::int64_t> indices, const normalize& scale);

/// The same into a batch that is there already: its memory is used again if it has the right shape.
///
/// @param set     where the samples are taken from
/// @param indices which ones; may repeat
/// @param scale   how pixels become floats
/// @param batch   what is overwritten; on an exception its contents are unspecified
/// @throws what collate() throws
/// Thread safety: safe for distinct batches.
void collate_into(const image_set& set, std::span<const std::int64_t> indices, const normalize& scale,
                  image_batch& batch);

/// Labels as rows with a 1 in the column of the label and 0 elsewhere, [samples, classes].
///
/// @param labels each in [0, classes); @param classes how many columns there are
/// @throws invalid_argument if a label is outside, or if classes is below 1
/// Thread safety: safe.
tensor<float, 2> one_hot(tensor_view<const std::int32_t, 1> labels, std::int64_t classes);

}  // namespace weft
