#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/tensor.hpp>

namespace weft {

/// Kernel: the gradient of a ReLU by its input, in place: the gradient becomes 0 where the ReLU's output is
/// not above 0.
///
/// Thread safety: safe; the views' elements must not be used by others while it runs.
struct relu_backward {
  /// @param context where it runs; @param output [n], what the ReLU gave; @param gradient [n], by the output
  /// and then by the input
  ///
  /// Throws shape_error, naming both shapes, unless they are equal.
  void operator()(const cpu_context& context, tensor_view<const float, 1> output,
                  tensor_view<float, 1> gradient) const;
  /// The same on a GPU.
  void operator()(const cuda_context& context, tensor_view<const float, 1> output,
                  tensor_view<float, 1> gradient) const;
};

}  // namespace weft
