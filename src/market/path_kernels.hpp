#pragma once

#include <cstdint>  // for std::int64_t, std::uint32_t

// What src/market/isa/ is compiled to, once per instruction set. Only plain types cross this line, as in
// src/compute/kernel_table.hpp.

namespace weft::detail {

/// A basket has at most so many assets: what a step needs of each lies on the stack.
inline constexpr int most_assets = 64;

/// What a path pays; of the value of the basket, B.
enum class path_payoff {
  european,         ///< at the end
  arithmetic_mean,  ///< on the mean over the steps
  geometric_mean,   ///< on the geometric mean over the steps
  knock_in,         ///< european, if B was at or beyond the barrier
  knock_out         ///< european, unless B was
};

/// Paths of correlated geometric Brownian motions and what they pay. Path p draws, for steps 4 k to 4 k + 3
/// of asset a, block (p, k, a) of Philox 4x32-10.
struct path_arguments {
  std::uint32_t seed[2];
  std::int64_t steps;
  std::int64_t assets;
  const float* drift;    // [assets], of the logarithm in a step
  const float* loading;  // [assets, assets], lower triangle: deviation of a step * Cholesky factor
  const float* weight;   // [assets], spot * weight
  path_payoff payoff;
  float sign;  // 1: a call, -1: a put
  float strike;
  float barrier;
  bool barrier_above;
  bool antithetic;  // the mean of a path and its mirror image
};

/// The kernels of one instruction set.
struct path_kernel_table {
  /// What paths [begin, end) pay, not discounted, into values[0..]. Into controls, unless null, goes the
  /// control variate: for an arithmetic mean what the geometric one pays, otherwise B at the end.
  void (*paths)(const path_arguments&, std::int64_t begin, std::int64_t end, float* values, float* controls);
  /// The normal numbers of steps 4 * block to 4 * block + 3 of one factor: step s of path begin + i into
  /// output[s * stride + i]. The stride is a multiple of 16 and at least end - begin; up to it is written.
  void (*normals)(const std::uint32_t* seed, std::int64_t factor, std::int64_t block, std::int64_t begin,
                  std::int64_t end, std::int64_t stride, float* output);
};

namespace v2 {
extern const path_kernel_table path_kernels;
}
namespace v3 {
extern const path_kernel_table path_kernels;
}
namespace v4 {
extern const path_kernel_table path_kernels;
}

}  // namespace weft::detail
