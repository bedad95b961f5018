#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/tensor.hpp>
#include <weft/train/adam.hpp>
#include <weft/train/evaluation.hpp>
#include <weft/train/mlp.hpp>

#include <cstdint>  // for std::int64_t, std::int32_t, std::uint64_t
#include <vector>   // for std::vector

namespace weft {

/// How a classifier is set up.
struct classifier_options {
  /// Inputs, hidden layers and classes.
  std::vector<std::int64_t> sizes{784, 256, 128, 10};
  /// The seed of its first parameters.
  std::uint64_t seed = 0;
  /// The optimizer's constants.
  adam_options optimizer{};
};

/// A network, its optimizer and the memory of a training step.
///
/// With equal options and equal batches in the same order, every loss and parameter is the same bits whatever
/// the number of threads.
///
/// Thread safety: distinct objects safe, so experiments train at the same time on threads of their own; a
/// single object serves one call at a time. It does not move while a kernel made by training_step() is under
/// way.
class classifier {
 public:
  /// Throws invalid_argument for sizes or optimizer constants that cannot work.
  explicit classifier(classifier_options options = {});

  /// One step of training on a batch: forward, backward and Adam.
  ///
  /// @param context where it runs; a serial one by default-constructing cpu_context
  /// @param samples [batch, inputs]; @param labels [batch], each in [0, classes)
  /// @return the mean loss of the batch before the step
  ///
  /// Throws shape_error, naming both shapes, unless they fit; invalid_argument for a label that is out of
  /// range. Nothing has changed then.
  double step(const cpu_context& context, tensor_view<const float, 2> samples,
              tensor_view<const std::int32_t, 1> labels);

  /// step() as a kernel, for an executor: `double loss = co_await executor.run(model.training_step(), x,
  /// y);`.
  class kernel {
   public:
    /// One step(), whose arguments and result these are.
    double operator()(const cpu_context& context, tensor_view<const float, 2> samples,
                      tensor_view<const std::int32_t, 1> labels) const {
      return model_->step(context, samples, labels);
    }

   private:
    friend class classifier;
    explicit kernel(classifier& model) noexcept : model_(&model) {}
    classifier* model_;
  };

  /// A kernel that refers to this classifier.
  kernel training_step() noexcept { return kernel(*this); }

  /// Predictions, accuracy and confusion matrix on labelled samples.
  ///
  /// @param context where it runs; @param samples [count, inputs]; @param labels [count], each in [0,
  /// classes)
  evaluation evaluate(const cpu_context& context, tensor_view<const float, 2> samples,
                      tensor_view<const std::int32_t, 1> labels) const {
    return weft::evaluate(context, network_, samples, labels);
  }

  /// The network.
  mlp& network() noexcept { return network_; }
  /// The network.
  const mlp& network() const noexcept { return network_; }
  /// The optimizer.
  adam& optimizer() noexcept { return optimizer_; }
  /// The optimizer.
  const adam& optimizer() const noexcept { return optimizer_; }

 private:
  mlp network_;
  adam optimizer_;
  mlp gradient_;
  mlp::workspace space_;
};

}  // namespace weft
