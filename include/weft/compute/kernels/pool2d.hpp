#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/tensor.hpp>

#include <cstdint>  // for std::int32_t, std::int64_t

namespace weft {

/// The window of a pooling kernel, which moves over height and width alike.
struct pool2d_options {
  /// Its height and width, above 0.
  std::int64_t size = 2;
  /// How far it moves, above 0.
  std::int64_t stride = 2;
  /// How many rows and columns are thought around each plane; at least 0 and below size.
  std::int64_t padding = 0;
};

/// The extents of what pooling makes of input: [batch, channels, height, width], with height and width
/// (extent + 2 padding - size) / stride + 1. Throws invalid_argument, naming it, for an option that cannot be
/// or a window that is larger than the padded input.
shape<4> pooled_shape(const pool2d_options& options, const shape<4>& input);

/// Kernel: the largest element under each window; not a number counts as larger than every number. What is
/// padded is never the largest.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct max_pool2d {
  /// The window.
  pool2d_options options{};

  /// @param context where it runs; @param input [batch, channels, height, width]
  /// @param output pooled_shape(), overwritten; @param where pooled_shape(), overwritten with the place of
  /// each largest element in its plane, for max_pool2d_backward
  ///
  /// Throws shape_error, naming both shapes, unless they fit; otherwise as pooled_shape().
  void operator()(const cpu_context& context, tensor_view<const float, 4> input, tensor_view<float, 4> output,
                  tensor_view<std::int32_t, 4> where) const;
  /// The same on a GPU.
  void operator()(const cuda_context& context, tensor_view<const float, 4> input,
                  tensor_view<float, 4> output, tensor_view<std::int32_t, 4> where) const;
};

/// Kernel: the gradient of max_pool2d by its input.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct max_pool2d_backward {
  /// @param context where it runs; @param output_gradient, where as max_pool2d's outputs
  /// @param input_gradient [batch, channels, height, width], overwritten
  ///
  /// Throws shape_error, naming both shapes, unless they fit; invalid_argument for a place outside the plane.
  void operator()(const cpu_context& context, tensor_view<const float, 4> output_gradient,
                  tensor_view<const std::int32_t, 4> where, tensor_view<float, 4> input_gradient) const;
  /// The same on a GPU, where a place outside the plane is left out, and what overlapping windows give to one
  /// element is added up in any order.
  void operator()(const cuda_context& context, tensor_view<const float, 4> output_gradient,
                  tensor_view<const std::int32_t, 4> where, tensor_view<float, 4> input_gradient) const;
};

/// Kernel: the mean under each window; what is padded counts as 0.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct average_pool2d {
  /// The window.
  pool2d_options options{};

  /// @param context where it runs; @param input [batch, channels, height, width]
  /// @param output pooled_shape(), overwritten
  ///
  /// Throws shape_error, naming both shapes, unless they fit; otherwise as pooled_shape().
  void operator()(const cpu_context& context, tensor_view<const float, 4> input,
                  tensor_view<float, 4> output) const;
  /// The same on a GPU.
  void operator()(const cuda_context& context, tensor_view<const float, 4> input,
                  tensor_view<float, 4> output) const;
};

/// Kernel: the gradient of average_pool2d by its input.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct average_pool2d_backward {
  /// The window.
  pool2d_options options{};

  /// @param context where it runs; @param output_gradient pooled_shape() of the input
  /// @param input_gradient [batch, channels, height, width], overwritten
  ///
  /// Throws shape_error, naming both shapes, unless they fit; otherwise as pooled_shape().
  void operator()(const cpu_context& context, tensor_view<const float, 4> output_gradient,
                  tensor_view<float, 4> input_gradient) const;
  /// The same on a GPU.
  void operator()(const cuda_context& context, tensor_view<const float, 4> output_gradient,
                  tensor_view<float, 4> input_gradient) const;
};

}  // namespace weft
