#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/tensor.hpp>

#include <cstdint>  // for std::int64_t

namespace weft {

/// How a convolution moves over height and width.
struct conv2d_options {
  /// How far it moves, above 0.
  std::int64_t stride = 1;
  /// How many rows and columns of zeros are thought around each plane, at least 0.
  std::int64_t padding = 0;
};

/// The extents of a convolution's output: [batch, outputs, height, width] for an input of [batch, channels,
/// height, width] and a weight of [outputs, channels, kernel height, kernel width], with (extent + 2 padding
/// - kernel) / stride + 1. Throws shape_error, naming both shapes, unless they fit; invalid_argument for an
/// option that cannot be.
shape<4> convolved_shape(const conv2d_options& options, const shape<4>& input, const shape<4>& weight);

/// Kernel: the cross-correlation of images with a weight, plus a bias for each output channel, as PyTorch's
/// conv2d: the patches under the weight become the columns of a matrix, and the output is a product.
///
/// On a CPU, weights of 3 x 3 that move by 1 over enough images and channels make squares of 2 x 2 outputs by
/// Winograd's minimal filtering (Lavin and Gray, 2016), with 16 products instead of 36 and errors that are no
/// larger. An infinity, or what is not a number, then reaches all outputs of the squares that touch it.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct conv2d {
  /// How it moves.
  conv2d_options options{};

  /// @param context where it runs; @param input [batch, channels, height, width]
  /// @param weight [outputs, channels, kernel height, kernel width]; @param bias [outputs]
  /// @param output convolved_shape(), overwritten
  ///
  /// Throws shape_error, naming both shapes, unless they fit; otherwise as convolved_shape().
  void operator()(const cpu_context& context, tensor_view<const float, 4> input,
                  tensor_view<const float, 4> weight, tensor_view<const float, 1> bias,
                  tensor_view<float, 4> output) const;
  /// The same on a GPU, with the patches of as many images at a time as fit into 256 MiB.
  void operator()(const cuda_context& context, tensor_view<const float, 4> input,
                  tensor_view<const float, 4> weight, tensor_view<const float, 1> bias,
                  tensor_view<float, 4> output) const;
};

/// Kernel: the gradients of conv2d by its input, weight and bias. Sums over the batch run in order.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct conv2d_backward {
  /// How it moves.
  conv2d_options options{};

  /// @param context where it runs; @param input, weight as conv2d had them
  /// @param output_gradient convolved_shape(); @param input_gradient, weight_gradient, bias_gradient shaped
  /// like what they belong to, overwritten
  ///
  /// Throws shape_error, naming both shapes, unless they fit; otherwise as convolved_shape().
  void operator()(const cpu_context& context, tensor_view<const float, 4> input,
                  tensor_view<const float, 4> weight, tensor_view<const float, 4> output_gradient,
                  tensor_view<float, 4> input_gradient, tensor_view<float, 4> weight_gradient,
                  tensor_view<float, 1> bias_gradient) const;
  /// The same on a GPU, where the sums run in an order of their own that never changes.
  void operator()(const cuda_context& context, tensor_view<const float, 4> input,
                  tensor_view<const float, 4> weight, tensor_view<const float, 4> output_gradient,
                  tensor_view<float, 4> input_gradient, tensor_view<float, 4> weight_gradient,
                  tensor_view<float, 1> bias_gradient) const;

  /// The same without the input's gradient, for a first layer.
  void operator()(const cpu_context& context, tensor_view<const float, 4> input,
                  tensor_view<const float, 4> weight, tensor_view<const float, 4> output_gradient,
                  tensor_view<float, 4> weight_gradient, tensor_view<float, 1> bias_gradient) const;
  /// The same without the input's gradient on a GPU.
  void operator()(const cuda_context& context, tensor_view<const float, 4> input,
                  tensor_view<const float, 4> weight, tensor_view<const float, 4> output_gradient,
                  tensor_view<float, 4> weight_gradient, tensor_view<float, 1> bias_gradient) const;
};

}  // namespace weft
