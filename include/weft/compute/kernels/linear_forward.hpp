#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/operations.hpp>
#include <weft/compute/tensor.hpp>

namespace weft {

/// Kernel: output = after(input * weight + bias), in one pass over the output.
///
/// Each output element is summed in order of the inputs, so equal inputs give equal bits on every context of
/// one instruction set.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct linear_forward {
  /// Applied to every output element.
  activation after = activation::none;

  /// @param context where it runs
  /// @param input [batch, inputs]; @param weight [inputs, outputs]; @param bias [outputs]
  /// @param output [batch, outputs], overwritten; must not overlap the others
  ///
  /// Throws shape_error, naming both shapes, unless they fit.
  void operator()(const cpu_context& context, tensor_view<const float, 2> input,
                  tensor_view<const float, 2> weight, tensor_view<const float, 1> bias,
                  tensor_view<float, 2> output) const;
  /// The same on a GPU, by cuBLASLt.
  void operator()(const cuda_context& context, tensor_view<const float, 2> input,
                  tensor_view<const float, 2> weight, tensor_view<const float, 1> bias,
                  tensor_view<float, 2> output) const;
};

}  // namespace weft
