#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/tensor.hpp>

#include <cstdint>  // for std::uint64_t

namespace weft {

/// Kernel: uniform random numbers in [low, high), with 24 random bits. Element i depends on seed, stream and
/// i alone (Philox 4x32-10, word i % 4 of block i / 4), not on the number of threads or the device.
///
/// Thread safety: safe; the view's elements must not be used by others while it runs.
struct fill_uniform {
  /// The experiment's seed.
  std::uint64_t seed = 0;
  /// Separates independent uses of one seed.
  std::uint64_t stream = 0;
  /// The smallest number.
  float low = 0.0F;
  /// Above the largest one.
  float high = 1.0F;

  /// @param context where it runs; @param output overwritten
  void operator()(const cpu_context& context, tensor_view<float, 1> output) const;
  /// The same on a GPU.
  void operator()(const cuda_context& context, tensor_view<float, 1> output) const;
};

/// Kernel: normal random numbers (Box and Muller, 1958, in float: none is further than 5.9 deviations from
/// the mean). Element i depends on seed, stream and i alone; another device or instruction set rounds
/// differently.
///
/// Thread safety: safe; the view's elements must not be used by others while it runs.
struct fill_normal {
  /// The experiment's seed.
  std::uint64_t seed = 0;
  /// Separates independent uses of one seed.
  std::uint64_t stream = 0;
  /// Their mean.
  float mean = 0.0F;
  /// Their standard deviation.
  float deviation = 1.0F;

  /// @param context where it runs; @param output overwritten
  void operator()(const cpu_context& context, tensor_view<float, 1> output) const;
  /// The same on a GPU.
  void operator()(const cuda_context& context, tensor_view<float, 1> output) const;
};

}  // namespace weft
