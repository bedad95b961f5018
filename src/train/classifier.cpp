#include <train/staged.hpp>
#include <weft/train/classifier.hpp>

#include <utility>  // for std::move

namespace weft {

classifier::classifier(classifier_options options)
    : network_(std::move(options.network), options.seed),
      optimizer_(network_, options.optimizer),
      gradient_(network_.options()) {}

template <class Context>
double classifier::run_step(const Context& context, tensor_view<const float, 2> samples,
                            tensor_view<const std::int32_t, 1> labels) {
  const double loss = network_.gradients(context, samples, labels, space_, gradient_);
  optimizer_.step(context, network_, gradient_);
  return loss;
}

double classifier::step(const cpu_context& context, tensor_view<const float, 2> samples,
                        tensor_view<const std::int32_t, 1> labels) {
  return run_step(context, samples, labels);
}

double classifier::step(const cuda_context& context, tensor_view<const float, 2> samples,
                        tensor_view<const std::int32_t, 1> labels) {
  return run_step(context, samples, labels);
}

task<double> classifier::step(executor_base& executor, tensor_view<const float, 2> samples,
                              tensor_view<const std::int32_t, 1> labels) {
  detail::staged<float, 2> staged_samples;
  detail::staged<std::int32_t, 1> staged_labels;
  const tensor_view<const float, 2> x = co_await staged_samples.bring(executor, samples);
  const tensor_view<const std::int32_t, 1> y = co_await staged_labels.bring(executor, labels);
  co_return co_await executor.run(training_step(), x, y);
}

task<> classifier::move_to(executor_base& target) {
  network_ = co_await to(target, network_);
  co_await optimizer_.move_to(target);
  gradient_ = neural_net(network_.options(), target.source());
  space_ = {};
}

task<> classifier::move_to_host(executor_base& owner) {
  network_ = co_await to_host(owner, network_);
  co_await optimizer_.move_to_host(owner);
  gradient_ = neural_net(network_.options());
  space_ = {};
}

}  // namespace weft
