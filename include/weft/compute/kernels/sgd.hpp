#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/tensor.hpp>

#include <span>  // for std::span

namespace weft {

/// The constants of gradient descent.
struct sgd_options {
  /// The step size, at least 0.
  double learning_rate = 1e-2;
  /// How much of the last step's velocity stays, in [0, 1); 0 for none, and then no velocity is needed.
  double momentum = 0.0;
  /// Times the parameter, added to its gradient; at least 0.
  double weight_decay = 0.0;
  /// Whether the step looks ahead by one velocity (Sutskever et al., 2013); needs momentum.
  bool nesterov = false;

  friend bool operator==(const sgd_options&, const sgd_options&) = default;
};

/// The options themselves; throws invalid_argument naming the first one that is out of range.
const sgd_options& require_valid(const sgd_options& options);

/// One array that sgd_step updates, and what belongs to it.
struct sgd_parameter {
  /// p [n], updated.
  tensor_view<float, 1> parameter;
  /// g [n]
  tensor_view<const float, 1> gradient;
  /// v [n], updated, 0 at first; empty without momentum.
  tensor_view<float, 1> velocity{};
};

/// Kernel: one step of gradient descent of all parameters, in one pass over them: with d = g + weight_decay
/// p,
///
///     v = momentum v + d          p = p - learning_rate v   (or d + momentum v with nesterov; d without
///     momentum)
///
/// which is what PyTorch's torch.optim.SGD computes. Numbers below 2^-126 count as 0.
///
/// Thread safety: safe; the views' elements must not be used by others while it runs.
struct sgd_step {
  /// The constants.
  sgd_options options{};

  /// @param context where it runs; @param parameters the arrays, whose elements must not overlap
  ///
  /// Throws shape_error, naming both shapes, unless those of each array are equal; invalid_argument if an
  /// option is out of range. Nothing has changed then.
  void operator()(const cpu_context& context, std::span<const sgd_parameter> parameters) const;
  /// The same on a GPU, in a launch for every 48 arrays.
  void operator()(const cuda_context& context, std::span<const sgd_parameter> parameters) const;
};

/// Kernel: scales all gradients together so that their Euclidean norm is at most max_norm, as PyTorch's
/// clip_grad_norm_ does, and returns the norm they had. The norm is summed in parts whose borders depend on
/// the shapes alone. A norm that is not finite scales nothing.
///
/// Thread safety: safe; the views' elements must not be used by others while it runs.
struct clip_by_norm {
  /// The largest norm that stays; above 0.
  double max_norm = 1.0;

  /// @param context where it runs; @param gradients the arrays, updated
  /// @return the norm before
  ///
  /// Throws invalid_argument for a max_norm that is not above 0.
  double operator()(const cpu_context& context, std::span<const tensor_view<float, 1>> gradients) const;
  /// The same on a GPU; waits for the norm.
  double operator()(const cuda_context& context, std::span<const tensor_view<float, 1>> gradients) const;
};

}  // namespace weft
