#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/tensor.hpp>

namespace weft {

/// Kernel: e^x / sum(e^x) of each row, or its logarithm. Rows are shifted by their largest element, so
/// nothing overflows. The output may be the input.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct softmax {
  /// Whether the logarithm is wanted.
  bool logarithm = false;

  /// @param context where it runs; @param input [rows, columns]; @param output [rows, columns], overwritten
  ///
  /// Throws shape_error, naming both shapes, unless they are equal.
  void operator()(const cpu_context& context, tensor_view<const float, 2> input,
                  tensor_view<float, 2> output) const;
  /// The same on a GPU.
  void operator()(const cuda_context& context, tensor_view<const float, 2> input,
                  tensor_view<float, 2> output) const;
};

/// Kernel: the gradient of softmax by its input, output * (output_gradient - sum(output * output_gradient))
/// of each row.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct softmax_backward {
  /// @param context where it runs; @param output what softmax gave, [rows, columns], not its logarithm
  /// @param output_gradient [rows, columns]; @param input_gradient [rows, columns], overwritten
  ///
  /// Throws shape_error, naming both shapes, unless they are equal.
  void operator()(const cpu_context& context, tensor_view<const float, 2> output,
                  tensor_view<const float, 2> output_gradient, tensor_view<float, 2> input_gradient) const;
  /// The same on a GPU.
  void operator()(const cuda_context& context, tensor_view<const float, 2> output,
                  tensor_view<const float, 2> output_gradient, tensor_view<float, 2> input_gradient) const;
};

}  // namespace weft
