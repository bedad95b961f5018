#include <weft/core/error.hpp>
#include <weft/train/adam.hpp>

#include <cstddef>  // for std::size_t

namespace weft {

adam::adam(const mlp& network, adam_options options)
    : options_(require_valid(options)), sizes_(network.sizes()) {
  for (const linear& layer : network.layers()) {
    first_.emplace_back(layer.inputs(), layer.outputs());
    second_.emplace_back(layer.inputs(), layer.outputs());
  }
}

void adam::set_learning_rate(double learning_rate) {
  adam_options changed = options_;
  changed.learning_rate = learning_rate;
  options_ = require_valid(changed);
}

void adam::step(const cpu_context& context, mlp& network, const mlp& gradient) {
  if (network.sizes() != sizes_ || gradient.sizes() != sizes_) {
    throw invalid_argument("adam::step: the network, its gradient and the optimizer are of different sizes");
  }
  ++steps_;
  const auto flat = [](auto&& parameter) { return parameter.view().template reshape<1>({parameter.size()}); };
  arrays_.clear();
  for (std::size_t index = 0; index < first_.size(); ++index) {
    linear& layer = network.layers()[index];
    const linear& slope = gradient.layers()[index];
    linear& first = first_[index];
    linear& second = second_[index];
    arrays_.push_back({flat(layer.weight), flat(slope.weight), flat(first.weight), flat(second.weight)});
    arrays_.push_back({layer.bias, slope.bias, first.bias, second.bias});
  }
  adam_step{.options = options_, .step = steps_}(context, arrays_);
}

}  // namespace weft
