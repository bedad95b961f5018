#pragma once

#include <weft/compute/memory.hpp>
#include <weft/compute/tensor.hpp>

#include <cstdint>  // for std::int64_t, std::uint64_t
#include <memory>   // for std::shared_ptr

namespace weft {

/// The parameters of a linear layer, y = x * weight + bias.
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
struct linear {
  /// No parameters.
  linear() = default;

  /// All zeros; in a memory other than the host's heap, not initialised. Throws shape_error if a size is
  /// negative.
  /// @param inputs how many numbers go in; @param outputs how many come out
  /// @param source where the parameters are to lie; null: on the host's heap
  linear(std::int64_t inputs, std::int64_t outputs, const std::shared_ptr<memory>& source = nullptr);

  /// [inputs, outputs]; PyTorch's nn.Linear keeps the transpose of it.
  tensor<float, 2> weight;
  /// [outputs]
  tensor<float, 1> bias;

  /// How many numbers go in.
  std::int64_t inputs() const noexcept { return weight.extent(0); }
  /// How many numbers come out.
  std::int64_t outputs() const noexcept { return weight.extent(1); }
};

/// Fills the weight with normal random numbers of mean 0 and variance 2 / inputs and the bias with zeros (He
/// et al., "Delving deep into rectifiers", 2015). The weight at (row, column) depends on seed, stream and row
/// * outputs + column only.
///
/// @param layer what is overwritten; @param seed the experiment's seed; @param stream the layer's own
void initialize_he(linear& layer, std::uint64_t seed, std::uint64_t stream);

}  // namespace weft
