#pragma once

#include <weft/compute/detail/polynomials.hpp>

#include <bit>      // for std::bit_cast
#include <cstdint>  // for std::int32_t

#ifdef __CUDA_ARCH__
#include <cmath>  // for expf, logf
#endif

/// What a function of a model or payoff begins with that a GPU is to run: `WEFT_HOST_DEVICE float
/// price(...)`. Nothing, but for nvcc.
#ifdef __CUDACC__
#define WEFT_HOST_DEVICE __host__ __device__
#else
#define WEFT_HOST_DEVICE
#endif

namespace weft {
namespace detail {

/// For weft::detail::polynomials.
struct one_lane {
  using number = float;
  using whole = std::int32_t;

  static std::int32_t bits_of(float value) noexcept { return std::bit_cast<std::int32_t>(value); }
  static float from_bits(std::int32_t bits) noexcept { return std::bit_cast<float>(bits); }
  static float to_number(std::int32_t value) noexcept { return static_cast<float>(value); }
  static std::int32_t to_whole(float value) noexcept { return static_cast<std::int32_t>(value); }
};

}  // namespace detail

namespace path_math {

// Functions without branches, of which the compiler makes vector code where a loop calls them. On a GPU they
// are the ones that it has.

/// e^x within 2 units in the last place; 0 below -87.3, where a GPU may have a denormal number, and infinity
/// above 88.72. Not for what is not a number.
WEFT_HOST_DEVICE inline float exp(float x) noexcept {
#ifdef __CUDA_ARCH__
  return expf(x);
#else
  // Integers and masks instead of choices between floats: GCC would move the work before a choice into its
  // branches, and then see a loop with branches.
  const auto bits = std::bit_cast<std::int32_t>(x);
  constexpr auto most = std::bit_cast<std::int32_t>(88.8F);
  const std::int32_t size = bits & 0x7fffffff;
  const auto clamped = std::bit_cast<float>((size < most ? size : most) | (bits & (-0x7fffffff - 1)));
  const float result = detail::polynomials::exponential<detail::one_lane>(clamped);
  return std::bit_cast<float>(std::bit_cast<std::int32_t>(result) & -static_cast<std::int32_t>(x >= -87.3F));
#endif
}

/// The natural logarithm within 2 units in the last place, of a normal positive number.
WEFT_HOST_DEVICE inline float log(float x) noexcept {
#ifdef __CUDA_ARCH__
  return logf(x);
#else
  return detail::polynomials::logarithm<detail::one_lane>(x, 0.0F);
#endif
}

/// The square root within 2 units in the last place, of 0 or a normal positive number. std::sqrt() may set
/// errno, which keeps a loop from becoming vector code.
WEFT_HOST_DEVICE inline float sqrt(float x) noexcept {
#ifdef __CUDA_ARCH__
  float result;
  asm("sqrt.approx.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
#else
  // Three Newton steps on an estimate of the inverse root.
  float inverse = std::bit_cast<float>(0x5f3759df - (std::bit_cast<std::int32_t>(x) >> 1));
  const float half = x * 0.5F;
  inverse = inverse * (1.5F - half * inverse * inverse);
  inverse = inverse * (1.5F - half * inverse * inverse);
  inverse = inverse * (1.5F - half * inverse * inverse);
  return x * inverse;
#endif
}

/// The larger one, the second if either is not a number.
WEFT_HOST_DEVICE inline float max(float a, float b) noexcept {
  return a > b ? a : b;
}

/// The smaller one, the second if either is not a number.
WEFT_HOST_DEVICE inline float min(float a, float b) noexcept {
  return a < b ? a : b;
}

}  // namespace path_math
}  // namespace weft
