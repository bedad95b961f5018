#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/tensor.hpp>

namespace weft {

/// Kernel: each row shifted and scaled to mean 0 and deviation 1, then multiplied by scale and shifted,
/// column by column (Ba, Kiros and Hinton, "Layer normalization", 2016).
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct layer_norm {
  /// Added to the variance.
  double epsilon = 1e-5;

  /// @param context where it runs; @param input [rows, columns]; @param scale, shift [columns]
  /// @param output [rows, columns], overwritten; @param mean, inverse_deviation [rows], overwritten: what
  /// layer_norm_backward needs
  ///
  /// Throws shape_error, naming both shapes, unless they fit; invalid_argument for an epsilon that is
  /// negative or not finite.
  void operator()(const cpu_context& context, tensor_view<const float, 2> input,
                  tensor_view<const float, 1> scale, tensor_view<const float, 1> shift,
                  tensor_view<float, 2> output, tensor_view<float, 1> mean,
                  tensor_view<float, 1> inverse_deviation) const;
  /// The same on a GPU.
  void operator()(const cuda_context& context, tensor_view<const float, 2> input,
                  tensor_view<const float, 1> scale, tensor_view<const float, 1> shift,
                  tensor_view<float, 2> output, tensor_view<float, 1> mean,
                  tensor_view<float, 1> inverse_deviation) const;
};

/// Kernel: the gradients of layer_norm by its input, scale and shift. Sums over rows run in order.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct layer_norm_backward {
  /// @param context where it runs; @param input, scale as layer_norm had them
  /// @param mean, inverse_deviation what layer_norm gave; @param output_gradient [rows, columns]
  /// @param input_gradient [rows, columns], overwritten
  /// @param scale_gradient, shift_gradient [columns], overwritten
  ///
  /// Throws shape_error, naming both shapes, unless they fit.
  void operator()(const cpu_context& context, tensor_view<const float, 2> input,
                  tensor_view<const float, 1> scale, tensor_view<const float, 1> mean,
                  tensor_view<const float, 1> inverse_deviation, tensor_view<const float, 2> output_gradient,
                  tensor_view<float, 2> input_gradient, tensor_view<float, 1> scale_gradient,
                  tensor_view<float, 1> shift_gradient) const;
  /// The same on a GPU, where the sums over rows run in an order of their own that never changes.
  void operator()(const cuda_context& context, tensor_view<const float, 2> input,
                  tensor_view<const float, 1> scale, tensor_view<const float, 1> mean,
                  tensor_view<const float, 1> inverse_deviation, tensor_view<const float, 2> output_gradient,
                  tensor_view<float, 2> input_gradient, tensor_view<float, 1> scale_gradient,
                  tensor_view<float, 1> shift_gradient) const;
};

}  // namespace weft
