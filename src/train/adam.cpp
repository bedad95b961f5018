#include <weft/core/error.hpp>
#include <weft/train/adam.hpp>

#include <cstddef>  // for std::size_t
#include <utility>  // for std::move

namespace weft {

adam::adam(const neural_net& network, adam_options options)
    : options_(require_valid(options)), first_(network.options()), second_(network.options()) {}

void adam::set_learning_rate(double learning_rate) {
  adam_options changed = options_;
  changed.learning_rate = learning_rate;
  options_ = require_valid(changed);
}

const std::vector<adam_parameter>& adam::next(neural_net& network, const neural_net& gradient) {
  const auto fits = [this](const neural_net& other) {
    return other.options() == first_.options() && other.where() == first_.where();
  };
  if (!fits(network) || !fits(gradient)) {
    throw invalid_argument(
        "adam::step: the network, its gradient and the optimizer differ in their layers or in where they "
        "are");
  }
  ++steps_;
  const auto parameters = network.parameters();
  const auto slopes = gradient.parameters();
  const auto firsts = first_.parameters();
  const auto seconds = second_.parameters();
  arrays_.clear();
  for (std::size_t index = 0; index < parameters.size(); ++index) {
    arrays_.push_back({parameters[index], slopes[index], firsts[index], seconds[index]});
  }
  return arrays_;
}

void adam::step(const cpu_context& context, neural_net& network, const neural_net& gradient) {
  const std::vector<adam_parameter>& arrays = next(network, gradient);
  adam_step{.options = options_, .step = steps_}(context, arrays);
}

void adam::step(const cuda_context& context, neural_net& network, const neural_net& gradient) {
  const std::vector<adam_parameter>& arrays = next(network, gradient);
  adam_step{.options = options_, .step = steps_}(context, arrays);
}

task<> adam::move_to(executor_base& target) {
  neural_net first = co_await to(target, first_);
  second_ = co_await to(target, second_);
  first_ = std::move(first);
}

task<> adam::move_to_host(executor_base& owner) {
  neural_net first = co_await to_host(owner, first_);
  second_ = co_await to_host(owner, second_);
  first_ = std::move(first);
}

}  // namespace weft
