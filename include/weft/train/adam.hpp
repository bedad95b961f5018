#pragma once

#include <weft/async/task.hpp>
#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/executor.hpp>
#include <weft/compute/kernels/adam.hpp>
#include <weft/train/neural_net.hpp>

#include <cstdint>  // for std::int64_t
#include <vector>   // for std::vector

namespace weft {

/// Adam's state for one network: two moments of every parameter and the number of steps (Kingma and Ba,
/// 2015).
///
/// Thread safety: distinct objects safe.
class adam {
 public:
  /// Moments of zero, on the host.
  ///
  /// @param network the network that will be trained; only its options are used
  /// @param options Adam's constants; throws invalid_argument naming the first one that is out of range
  explicit adam(const neural_net& network, adam_options options = {});

  /// The constants.
  const adam_options& options() const noexcept { return options_; }
  /// Sets the learning rate of the steps to come; throws invalid_argument if it is negative or not finite.
  void set_learning_rate(double learning_rate);
  /// How many steps have been made.
  std::int64_t steps() const noexcept { return steps_; }

  /// Moves the network's parameters by one step along the gradient.
  ///
  /// @param context where it runs; @param network what is trained; @param gradient as neural_net::gradients()
  /// gives it
  ///
  /// Throws invalid_argument, naming the networks, unless both are what it was made for, and where its
  /// moments are.
  void step(const cpu_context& context, neural_net& network, const neural_net& gradient);
  /// The same on a GPU.
  void step(const cuda_context& context, neural_net& network, const neural_net& gradient);

  /// Moves the moments to where an executor computes, or, with to_host(), back.
  ///
  /// Cancellation: as executor_base; the moments are still where they were.
  task<> move_to(executor_base& target);
  /// Moves the moments from where an executor computes to the host.
  ///
  /// Cancellation: as move_to().
  task<> move_to_host(executor_base& owner);

 private:
  const std::vector<adam_parameter>& next(neural_net& network, const neural_net& gradient);

  adam_options options_;
  std::int64_t steps_ = 0;
  neural_net first_;  // moments, shaped like the network
  neural_net second_;
  std::vector<adam_parameter> arrays_;  // of the step being made; kept for its memory
};

}  // namespace weft
