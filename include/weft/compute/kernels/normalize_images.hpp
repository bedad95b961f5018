#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/tensor.hpp>

#include <cstdint>  // for std::uint8_t
#include <vector>   // for std::vector

namespace weft {

/// Kernel: images of bytes, channels innermost, to planes of normalised floats: output = (byte / 255 - mean)
/// / deviation, channel by channel, computed as one multiplication and one addition.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct normalize_images {
  /// Subtracted from byte / 255, one a channel.
  std::vector<double> mean;
  /// Divides the difference, one a channel; finite and not 0.
  std::vector<double> deviation;

  /// @param context where it runs; @param pixels [images, height, width, channels]
  /// @param output [images, channels, height, width], overwritten
  ///
  /// Throws shape_error, naming both shapes, unless they fit; invalid_argument unless there are as many means
  /// and deviations as channels, or for one that cannot be.
  void operator()(const cpu_context& context, tensor_view<const std::uint8_t, 4> pixels,
                  tensor_view<float, 4> output) const;
  /// The same on a GPU.
  void operator()(const cuda_context& context, tensor_view<const std::uint8_t, 4> pixels,
                  tensor_view<float, 4> output) const;
};

}  // namespace weft
