#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/tensor.hpp>

#include <cstdint>  // for std::int32_t

namespace weft {

/// Kernel: the mean over the batch of -log softmax(logits)[label], and its gradient (softmax - one-hot) /
/// batch. Rows are shifted by their largest logit, so nothing overflows; logits that are not finite give a
/// loss that is not a number.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct softmax_cross_entropy {
  /// @param context where it runs
  /// @param logits [batch, classes]; @param labels [batch], each in [0, classes)
  /// @param losses [batch], overwritten with each row's loss
  /// @param gradient [batch, classes], overwritten with the gradient of the mean by the logits
  /// @return the mean loss, summed in order of the rows in double precision; 0 for an empty batch
  ///
  /// Throws shape_error, naming both shapes, unless they fit; invalid_argument naming the first label that is
  /// out of range.
  double operator()(const cpu_context& context, tensor_view<const float, 2> logits,
                    tensor_view<const std::int32_t, 1> labels, tensor_view<float, 1> losses,
                    tensor_view<float, 2> gradient) const;

  /// The same without the gradient.
  ///
  /// @param context where it runs
  /// @param logits [batch, classes]; @param labels [batch], each in [0, classes)
  /// @param losses [batch], overwritten with each row's loss
  double operator()(const cpu_context& context, tensor_view<const float, 2> logits,
                    tensor_view<const std::int32_t, 1> labels, tensor_view<float, 1> losses) const;

  /// The same with the gradient on a GPU; waits for the mean. Labels are not checked on their way: one that
  /// is out of range gives a loss that is not a number.
  double operator()(const cuda_context& context, tensor_view<const float, 2> logits,
                    tensor_view<const std::int32_t, 1> labels, tensor_view<float, 1> losses,
                    tensor_view<float, 2> gradient) const;
  /// The same on a GPU without the gradient.
  double operator()(const cuda_context& context, tensor_view<const float, 2> logits,
                    tensor_view<const std::int32_t, 1> labels, tensor_view<float, 1> losses) const;
};

}  // namespace weft
