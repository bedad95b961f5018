#pragma once

#include <weft/compute/tensor.hpp>

#include <cstdint>  // for std::int64_t, std::uint64_t

namespace weft {

/// How a network's convolution is set up.
struct convolution_options {
  /// How many planes come out, above 0.
  std::int64_t channels = 16;
  /// Height and width of the weight, odd; the image is padded so that it keeps its size.
  std::int64_t kernel = 3;

  friend bool operator==(const convolution_options&, const convolution_options&) = default;
};

/// The parameters of a convolution, as conv2d takes them.
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
struct convolution {
  /// [outputs, channels, kernel, kernel], as PyTorch's nn.Conv2d keeps it.
  tensor<float, 4> weight;
  /// [outputs]
  tensor<float, 1> bias;
};

/// Fills the weight with normal random numbers of mean 0 and variance 2 / (channels * kernel * kernel) and
/// the bias with zeros, as initialize_he() does for a linear layer.
///
/// @param layer what is overwritten; @param seed the experiment's seed; @param stream the layer's own
void initialize_he(convolution& layer, std::uint64_t seed, std::uint64_t stream);

}  // namespace weft
