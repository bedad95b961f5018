#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/tensor.hpp>

#include <cstdint>  // for std::int64_t
#include <span>     // for std::span

namespace weft {

/// Adam's constants (Kingma and Ba, "Adam: a method for stochastic optimization", 2015), with their usual
/// values.
struct adam_options {
  /// The step size, at least 0.
  double learning_rate = 1e-3;
  /// The first moment's decay, in [0, 1).
  double beta1 = 0.9;
  /// The second moment's decay, in [0, 1).
  double beta2 = 0.999;
  /// Added to the root of the corrected second moment; at least 0.
  double epsilon = 1e-8;
  /// How much of a parameter each step takes away, times the learning rate: AdamW (Loshchilov and Hutter,
  /// "Decoupled weight decay regularization", 2019); at least 0.
  double weight_decay = 0.0;

  friend bool operator==(const adam_options&, const adam_options&) = default;
};

/// The options themselves; throws invalid_argument naming the first one that is out of range.
const adam_options& require_valid(const adam_options& options);

/// One array that adam_step updates, and what belongs to it.
struct adam_parameter {
  /// p [n], updated.
  tensor_view<float, 1> parameter;
  /// g [n]
  tensor_view<const float, 1> gradient;
  /// m [n], updated.
  tensor_view<float, 1> first_moment;
  /// v [n], updated.
  tensor_view<float, 1> second_moment;
};

/// Kernel: one Adam step of all parameters, in one pass over them: with g the gradient and t the step's
/// number,
///
///     m = beta1 m + (1 - beta1) g          v = beta2 v + (1 - beta2) g^2
///     p = p - learning_rate * weight_decay * p
///           - learning_rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
///
/// which is what PyTorch's torch.optim.AdamW computes, and torch.optim.Adam without decay. Numbers below
/// 2^-126 count as 0, so that moments that decay do not become slow to compute with.
///
/// Thread safety: safe; the views' elements must not be used by others while it runs.
struct adam_step {
  /// The constants.
  adam_options options{};
  /// The step's number t, 1 for the first.
  std::int64_t step = 1;

  /// @param context where it runs; @param parameters the arrays, whose elements must not overlap
  ///
  /// Throws shape_error, naming both shapes, unless the four of each array are equal; invalid_argument if an
  /// option or the step is out of range. Nothing has changed then.
  void operator()(const cpu_context& context, std::span<const adam_parameter> parameters) const;
  /// The same on a GPU, in a launch for every 48 arrays.
  void operator()(const cuda_context& context, std::span<const adam_parameter> parameters) const;
};

}  // namespace weft
