#include <weft/train/classifier.hpp>

#include <utility>  // for std::move

namespace weft {

classifier::classifier(classifier_options options)
    : network_(std::move(options.sizes), options.seed),
      optimizer_(network_, options.optimizer),
      gradient_(network_.sizes()) {}

double classifier::step(const cpu_context& context, tensor_view<const float, 2> samples,
                        tensor_view<const std::int32_t, 1> labels) {
  const double loss = network_.gradients(context, samples, labels, space_, gradient_);
  optimizer_.step(context, network_, gradient_);
  return loss;
}

}  // namespace weft
