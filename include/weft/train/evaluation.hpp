#pragma once

#include <weft/async/task.hpp>
#include <weft/compute/cpu_context.hpp>
#include <weft/compute/executor.hpp>
#include <weft/compute/tensor.hpp>
#include <weft/train/neural_net.hpp>

#include <cstdint>  // for std::int64_t, std::int32_t

namespace weft {

/// The class of the largest logit of each sample, the lowest of equals.
///
/// @param context where it runs; @param network the classifier; @param samples [count, inputs]
/// @return [count]
///
/// Throws shape_error, naming both shapes, unless they fit.
///
/// Thread safety: safe; the network is only read.
tensor<std::int32_t, 1> predict(const cpu_context& context, const neural_net& network,
                                tensor_view<const float, 2> samples);

/// How a classifier does on labelled samples.
struct evaluation {
  /// The predicted class of each sample, [count].
  tensor<std::int32_t, 1> predictions;
  /// How many samples of class `row` were taken for class `column`, [classes, classes].
  tensor<std::int64_t, 2> confusion;
  /// How many predictions were right.
  std::int64_t correct = 0;
  /// correct / count; 0 without samples.
  double accuracy = 0.0;
  /// The mean softmax cross-entropy; 0 without samples.
  double loss = 0.0;
};

/// Predicts every sample and compares with its label. Samples are taken in parts, so that memory does not
/// grow with their number.
///
/// @param context where it runs; @param network the classifier; @param samples [count, inputs]
/// @param labels [count], each in [0, classes)
///
/// Throws shape_error, naming both shapes, unless they fit; invalid_argument for a label that is out of
/// range.
///
/// Thread safety: safe; the network is only read.
evaluation evaluate(const cpu_context& context, const neural_net& network,
                    tensor_view<const float, 2> samples, tensor_view<const std::int32_t, 1> labels);

/// The same where an executor computes, with a network there.
///
/// @param executor where the network is; @param network the classifier; @param samples [count, inputs] and
/// @param labels [count], each in [0, classes), in the host's memory; all of it alive until then
///
/// Throws as evaluate().
///
/// Cancellation: as executor_base.
task<evaluation> evaluate(executor_base& executor, const neural_net& network,
                          tensor_view<const float, 2> samples, tensor_view<const std::int32_t, 1> labels);

}  // namespace weft
