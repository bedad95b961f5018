#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/tensor.hpp>

namespace weft {

/// Kernel: the gradients of a linear layer's parameters: weight_gradient = transpose(input) * output_gradient
/// and bias_gradient = the column sums of output_gradient. Sums run over the batch in order.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct linear_backward_parameters {
  /// @param context where it runs
  /// @param input [batch, inputs], what the layer was given; @param output_gradient [batch, outputs]
  /// @param weight_gradient [inputs, outputs], overwritten; @param bias_gradient [outputs], overwritten
  ///
  /// Throws shape_error, naming both shapes, unless they fit.
  void operator()(const cpu_context& context, tensor_view<const float, 2> input,
                  tensor_view<const float, 2> output_gradient, tensor_view<float, 2> weight_gradient,
                  tensor_view<float, 1> bias_gradient) const;
  /// The same on a GPU, where the sums run in an order of their own.
  void operator()(const cuda_context& context, tensor_view<const float, 2> input,
                  tensor_view<const float, 2> output_gradient, tensor_view<float, 2> weight_gradient,
                  tensor_view<float, 1> bias_gradient) const;
};

/// Kernel: the gradient of a linear layer's input: input_gradient = output_gradient * transpose(weight). With
/// `active`, the layer below ended in a ReLU and the gradient is 0 where that ReLU's output is not above 0.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct linear_backward_input {
  /// @param context where it runs
  /// @param output_gradient [batch, outputs]; @param weight [inputs, outputs]
  /// @param input_gradient [batch, inputs], overwritten
  ///
  /// Throws shape_error, naming both shapes, unless they fit.
  void operator()(const cpu_context& context, tensor_view<const float, 2> output_gradient,
                  tensor_view<const float, 2> weight, tensor_view<float, 2> input_gradient) const;
  /// The same on a GPU.
  void operator()(const cuda_context& context, tensor_view<const float, 2> output_gradient,
                  tensor_view<const float, 2> weight, tensor_view<float, 2> input_gradient) const;

  /// @param context where it runs
  /// @param output_gradient [batch, outputs]; @param weight [inputs, outputs]
  /// @param active [batch, inputs], the output of the ReLU below
  /// @param input_gradient [batch, inputs], overwritten
  ///
  /// Throws shape_error, naming both shapes, unless they fit.
  void operator()(const cpu_context& context, tensor_view<const float, 2> output_gradient,
                  tensor_view<const float, 2> weight, tensor_view<const float, 2> active,
                  tensor_view<float, 2> input_gradient) const;
  /// The same on a GPU.
  void operator()(const cuda_context& context, tensor_view<const float, 2> output_gradient,
                  tensor_view<const float, 2> weight, tensor_view<const float, 2> active,
                  tensor_view<float, 2> input_gradient) const;
};

}  // namespace weft
