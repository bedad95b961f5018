#pragma once

#include <weft/async/task.hpp>
#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/executor.hpp>
#include <weft/compute/tensor.hpp>
#include <weft/train/adam.hpp>
#include <weft/train/evaluation.hpp>
#include <weft/train/neural_net.hpp>

#include <cstdint>  // for std::int64_t, std::int32_t, std::uint64_t

namespace weft {

/// How a classifier is set up.
struct classifier_options {
  /// The network's layers.
  neural_net_options network{};
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
///
/// It is made on the host; move_to() takes it to where an executor computes, and everything but the steps of
/// a cpu_context works there the same.
class classifier {
 public:
  /// Throws invalid_argument for layers or optimizer constants that cannot work.
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

  /// The same on a GPU.
  double step(const cuda_context& context, tensor_view<const float, 2> samples,
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
    /// The same on a GPU.
    double operator()(const cuda_context& context, tensor_view<const float, 2> samples,
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

  /// One step on an executor, with a batch in its memory or in the host's, from where it is copied.
  ///
  /// @param executor where the classifier is; @param samples, labels as step(), alive until then
  ///
  /// Throws as step().
  ///
  /// Cancellation: as executor_base.
  task<double> step(executor_base& executor, tensor_view<const float, 2> samples,
                    tensor_view<const std::int32_t, 1> labels);

  /// Moves network and optimizer from the host to where an executor computes.
  ///
  /// Cancellation: as executor_base; afterwards it can only be destroyed or assigned to.
  task<> move_to(executor_base& target);
  /// Moves them back, to be saved or used on a cpu_context.
  ///
  /// Cancellation: as move_to().
  task<> move_to_host(executor_base& owner);

  /// Predictions, accuracy and confusion matrix on labelled samples.
  ///
  /// @param context where it runs; @param samples [count, inputs]; @param labels [count], each in [0,
  /// classes)
  evaluation evaluate(const cpu_context& context, tensor_view<const float, 2> samples,
                      tensor_view<const std::int32_t, 1> labels) const {
    return weft::evaluate(context, network_, samples, labels);
  }

  /// The network.
  neural_net& network() noexcept { return network_; }
  /// The network.
  const neural_net& network() const noexcept { return network_; }
  /// The optimizer.
  adam& optimizer() noexcept { return optimizer_; }
  /// The optimizer.
  const adam& optimizer() const noexcept { return optimizer_; }

 private:
  template <class Context>
  double run_step(const Context& context, tensor_view<const float, 2> samples,
                  tensor_view<const std::int32_t, 1> labels);

  neural_net network_;
  adam optimizer_;
  neural_net gradient_;
  neural_net::workspace space_;
};

}  // namespace weft
