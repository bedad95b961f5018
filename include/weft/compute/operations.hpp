#pragma once

// Names that kernels and their implementations share; nothing but plain types.

namespace weft {

/// What is applied to a layer's output, element by element.
enum class activation {
  none,  ///< y
  relu,  ///< max(0, y); not a number stays so
  gelu   ///< y times the normal distribution's probability of being below y
};

namespace detail {

/// Elementwise operations of two arrays.
enum class binary_operation { add, subtract, multiply, divide, maximum, minimum };
/// Elementwise operations of one array of floats.
enum class unary_operation {
  negate,
  absolute,
  square,
  square_root,
  exponential,
  logarithm,
  tanh,
  sigmoid,
  relu,
  gelu
};
/// Reductions.
enum class reduction { sum, maximum, argmax };

}  // namespace detail
}  // namespace weft
