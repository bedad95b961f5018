#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/float16.hpp>
#include <weft/compute/operations.hpp>
#include <weft/compute/tensor.hpp>

namespace weft {

/// How precisely a GPU multiplies floats.
enum class float_precision {
  full,  ///< as floats
  tf32   ///< rounded to 11 bits before they are multiplied, added up as floats: several times as fast
};

/// Kernel: output = after(left * right + bias), of matrices or of batches of them. A transposed factor is one
/// whose view is: `matmul{}(context, x.transpose(), y.view(), out)`.
///
/// On the CPU each output element is summed in an order that shapes alone decide, so equal inputs give equal
/// bits on every context of one instruction set. A GPU sums in an order of its own.
///
/// Products of bfloat16 and of half are exact and are added up as floats; bias and activation come before the
/// one rounding to 16 bits, or, on a GPU, after a first one where cuBLASLt does not fuse them. On a CPU each
/// element is one chain of additions along the depth, in which of each pair of depths 2k and 2k + 1 the
/// latter comes first, every one rounded to the nearest float, and numbers below 2^-126 count as 0, be they a
/// bfloat16 of a factor or a sum on its way: what AVX512_BF16 computes, on processors that have it by that
/// instruction. So the bits are the same on every instruction set, but for those of GELU and of products that
/// leave float's range.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct matmul {
  /// Applied to every output element.
  activation after = activation::none;
  /// Of floats on a GPU; a CPU always computes in full. With tf32, bfloat16 and half a GPU's GELU is the
  /// approximation by tanh, which differs by less than 5e-4.
  float_precision precision = float_precision::full;

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

  /// @param context where it runs; @param left, right, output as above
  /// @param bias [columns], added to every row of every matrix
  void operator()(const cpu_context& context, strided_view<const float, 3> left,
                  strided_view<const float, 3> right, tensor_view<const float, 1> bias,
                  tensor_view<float, 3> output) const;
  /// The same on a GPU.
  void operator()(const cuda_context& context, strided_view<const float, 3> left,
                  strided_view<const float, 3> right, tensor_view<const float, 1> bias,
                  tensor_view<float, 3> output) const;

  /// The same for bfloat16.
  void operator()(const cpu_context& context, strided_view<const bfloat16, 2> left,
                  strided_view<const bfloat16, 2> right, tensor_view<bfloat16, 2> output) const;
  /// The same for bfloat16 on a GPU.
  void operator()(const cuda_context& context, strided_view<const bfloat16, 2> left,
                  strided_view<const bfloat16, 2> right, tensor_view<bfloat16, 2> output) const;
  /// The same for bfloat16 with a bias.
  void operator()(const cpu_context& context, strided_view<const bfloat16, 2> left,
                  strided_view<const bfloat16, 2> right, tensor_view<const bfloat16, 1> bias,
                  tensor_view<bfloat16, 2> output) const;
  /// The same for bfloat16 with a bias on a GPU.
  void operator()(const cuda_context& context, strided_view<const bfloat16, 2> left,
                  strided_view<const bfloat16, 2> right, tensor_view<const bfloat16, 1> bias,
                  tensor_view<bfloat16, 2> output) const;
  /// The same for batches of bfloat16.
  void operator()(const cpu_context& context, strided_view<const bfloat16, 3> left,
                  strided_view<const bfloat16, 3> right, tensor_view<bfloat16, 3> output) const;
  /// The same for batches of bfloat16 on a GPU.
  void operator()(const cuda_context& context, strided_view<const bfloat16, 3> left,
                  strided_view<const bfloat16, 3> right, tensor_view<bfloat16, 3> output) const;
  /// The same for batches of bfloat16 with a bias.
  void operator()(const cpu_context& context, strided_view<const bfloat16, 3> left,
                  strided_view<const bfloat16, 3> right, tensor_view<const bfloat16, 1> bias,
                  tensor_view<bfloat16, 3> output) const;
  /// The same for batches of bfloat16 with a bias on a GPU.
  void operator()(const cuda_context& context, strided_view<const bfloat16, 3> left,
                  strided_view<const bfloat16, 3> right, tensor_view<const bfloat16, 1> bias,
                  tensor_view<bfloat16, 3> output) const;
  /// The same for half.
  void operator()(const cpu_context& context, strided_view<const half, 2> left,
                  strided_view<const half, 2> right, tensor_view<half, 2> output) const;
  /// The same for half on a GPU.
  void operator()(const cuda_context& context, strided_view<const half, 2> left,
                  strided_view<const half, 2> right, tensor_view<half, 2> output) const;
  /// The same for half with a bias.
  void operator()(const cpu_context& context, strided_view<const half, 2> left,
                  strided_view<const half, 2> right, tensor_view<const half, 1> bias,
                  tensor_view<half, 2> output) const;
  /// The same for half with a bias on a GPU.
  void operator()(const cuda_context& context, strided_view<const half, 2> left,
                  strided_view<const half, 2> right, tensor_view<const half, 1> bias,
                  tensor_view<half, 2> output) const;
  /// The same for batches of half.
  void operator()(const cpu_context& context, strided_view<const half, 3> left,
                  strided_view<const half, 3> right, tensor_view<half, 3> output) const;
  /// The same for batches of half on a GPU.
  void operator()(const cuda_context& context, strided_view<const half, 3> left,
                  strided_view<const half, 3> right, tensor_view<half, 3> output) const;
  /// The same for batches of half with a bias.
  void operator()(const cpu_context& context, strided_view<const half, 3> left,
                  strided_view<const half, 3> right, tensor_view<const half, 1> bias,
                  tensor_view<half, 3> output) const;
  /// The same for batches of half with a bias on a GPU.
  void operator()(const cuda_context& context, strided_view<const half, 3> left,
                  strided_view<const half, 3> right, tensor_view<const half, 1> bias,
                  tensor_view<half, 3> output) const;
};

}  // namespace weft
