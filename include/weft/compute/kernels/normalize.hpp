#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/tensor.hpp>

#include <cstdint>  // for std::uint8_t, std::int64_t

namespace weft {

/// Kernel: bytes to normalised floats, output = (byte / 255 - mean) / deviation, computed as one
/// multiplication and one addition.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct normalize {
  /// Subtracted from byte / 255.
  double mean = 0.0;
  /// Divides the difference; finite and not 0.
  double deviation = 1.0;

  /// @param context where it runs
  /// @param pixels [rows, columns]; @param output [rows, columns], overwritten
  ///
  /// Throws shape_error, naming both shapes, unless they fit; invalid_argument for a deviation that is 0 or
  /// not finite.
  void operator()(const cpu_context& context, tensor_view<const std::uint8_t, 2> pixels,
                  tensor_view<float, 2> output) const;
  /// The same on a GPU.
  void operator()(const cuda_context& context, tensor_view<const std::uint8_t, 2> pixels,
                  tensor_view<float, 2> output) const;

  /// The same for chosen rows: output row i is made of row rows[i] of pixels, so that a shuffled batch is
  /// gathered and decoded in one pass.
  ///
  /// @param context where it runs
  /// @param pixels [any, columns]; @param rows [batch], each a row of pixels; @param output [batch, columns],
  /// overwritten
  ///
  /// Throws shape_error, naming both shapes, unless they fit; invalid_argument for a deviation that is 0 or
  /// not finite, or naming the first row that is out of range.
  void operator()(const cpu_context& context, tensor_view<const std::uint8_t, 2> pixels,
                  tensor_view<const std::int64_t, 1> rows, tensor_view<float, 2> output) const;
  /// The same on a GPU; waits for the check of the rows.
  void operator()(const cuda_context& context, tensor_view<const std::uint8_t, 2> pixels,
                  tensor_view<const std::int64_t, 1> rows, tensor_view<float, 2> output) const;
};

}  // namespace weft
