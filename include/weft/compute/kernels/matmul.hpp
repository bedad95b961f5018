#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/operations.hpp>
#include <weft/compute/tensor.hpp>

namespace weft {

/// Kernel: output = after(left * right + bias), of matrices or of batches of them. A transposed factor is one
/// whose view is: `matmul{}(context, x.transpose(), y.view(), out)`.
///
/// On the CPU each output element is summed in order of the depth, so equal inputs give equal bits on every
/// context of one instruction set.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct matmul {
  /// Applied to every output element.
  activation after = activation::none;

  /// @param context where it runs; @param left [rows, depth]; @param right [depth, columns]; of either, the
  /// elements of a row or those of a column must be neighbours in memory
  /// @param output [rows, columns], overwritten; must not overlap the others
  ///
  /// Throws shape_error, naming both shapes, unless they fit, or naming the strides that do not.
  void operator()(const cpu_context& context, strided_view<const float, 2> left,
                  strided_view<const float, 2> right, tensor_view<float, 2> output) const;
  /// The same on a GPU, by cuBLASLt.
  void operator()(const cuda_context& context, strided_view<const float, 2> left,
                  strided_view<const float, 2> right, tensor_view<float, 2> output) const;

  /// @param context where it runs; @param left, right, output as above
  /// @param bias [columns], added to every row
  void operator()(const cpu_context& context, strided_view<const float, 2> left,
                  strided_view<const float, 2> right, tensor_view<const float, 1> bias,
                  tensor_view<float, 2> output) const;
  /// The same on a GPU.
  void operator()(const cuda_context& context, strided_view<const float, 2> left,
                  strided_view<const float, 2> right, tensor_view<const float, 1> bias,
                  tensor_view<float, 2> output) const;

  /// @param context where it runs; @param left [batch, rows, depth]; @param right [batch, depth, columns]
  /// @param output [batch, rows, columns], overwritten
  void operator()(const cpu_context& context, strided_view<const float, 3> left,
                  strided_view<const float, 3> right, tensor_view<float, 3> output) const;
  /// The same on a GPU.
  void operator()(const cuda_context& context, strided_view<const float, 3> left,
                  strided_view<const float, 3> right, tensor_view<float, 3> output) const;
};

}  // namespace weft
