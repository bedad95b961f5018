#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/kernels/adam.hpp>
#include <weft/train/linear.hpp>
#include <weft/train/mlp.hpp>

#include <cstdint>  // for std::int64_t
#include <vector>   // for std::vector

namespace weft {

/// Adam's state for one network: two moments of every parameter and the number of steps (Kingma and Ba,
/// 2015).
///
/// Thread safety: distinct objects safe.
class adam {
 public:
  /// Moments of zero.
  ///
  /// @param network the network that will be trained; only its sizes are used
  /// @param options Adam's constants; throws invalid_argument naming the first one that is out of range
  explicit adam(const mlp& network, adam_options options = {});

  /// The constants.
  const adam_options& options() const noexcept { return options_; }
  /// Sets the learning rate of the steps to come; throws invalid_argument if it is negative or not finite.
  void set_learning_rate(double learning_rate);
  /// How many steps have been made.
  std::int64_t steps() const noexcept { return steps_; }
  /// The sizes of the network it was made for.
  const std::vector<std::int64_t>& sizes() const noexcept { return sizes_; }

  /// Moves the network's parameters by one step along the gradient.
  ///
  /// @param context where it runs; @param network what is trained; @param gradient as mlp::gradients() gives
  /// it
  ///
  /// Throws invalid_argument, naming the sizes, if either network has others.
  void step(const cpu_context& context, mlp& network, const mlp& gradient);

 private:
  adam_options options_;
  std::int64_t steps_ = 0;
  std::vector<std::int64_t> sizes_;
  std::vector<linear> first_;  // moments, shaped like the layers
  std::vector<linear> second_;
  std::vector<adam_parameter> arrays_;  // of the step being made; kept for its memory
};

}  // namespace weft
