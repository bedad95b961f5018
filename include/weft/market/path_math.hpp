#pragma once

#include <bit>      // for std::bit_cast
#include <cstdint>  // for std::int32_t

namespace weft::path_math {

// Functions without branches, of which the compiler makes vector code where a loop calls them. The
// polynomials are those of Moshier's Cephes library (1992) and Taylor's.

/// e^x within 2 units in the last place; 0 below -87.3 and infinity above 88.72. Not for what is not a
/// number.
inline float exp(float x) noexcept {
  // Integers and masks instead of choices between floats: GCC would move the work before a choice into its
  // branches, and then see a loop with branches.
  const auto bits = std::bit_cast<std::int32_t>(x);
  constexpr auto most = std::bit_cast<std::int32_t>(88.8F);
  const std::int32_t size = bits & 0x7fffffff;
  const auto clamped = std::bit_cast<float>((size < most ? size : most) | (bits & (-0x7fffffff - 1)));
  constexpr float shifter = 0x1.8p23F;  // adding it rounds to the nearest integer
  const float n = (clamped * 1.44269504F + shifter) - shifter;
  const float r = (clamped - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const auto whole = static_cast<std::int32_t>(n);
  const std::int32_t half = whole >> 1;  // 2^n in two factors: n may be 128
  const float result =
      p * std::bit_cast<float>((half + 127) << 23) * std::bit_cast<float>((whole - half + 127) << 23);
  return std::bit_cast<float>(std::bit_cast<std::int32_t>(result) & -static_cast<std::int32_t>(x >= -87.3F));
}

/// The natural logarithm within 2 units in the last place, of a normal positive number.
inline float log(float x) noexcept {
  const auto bits = std::bit_cast<std::int32_t>(x);
  const std::int32_t exponent = (bits - 0x3f3504f3) >> 23;
  const float m = std::bit_cast<float>(bits - exponent * (1 << 23)) - 1.0F;
  const auto e = static_cast<float>(exponent);
  const float z = m * m;
  float p = 7.0376836292e-2F;
  p = p * m - 1.1514610310e-1F;
  p = p * m + 1.1676998740e-1F;
  p = p * m - 1.2420140846e-1F;
  p = p * m + 1.4249322787e-1F;
  p = p * m - 1.6668057665e-1F;
  p = p * m + 2.0000714765e-1F;
  p = p * m - 2.4999993993e-1F;
  p = p * m + 3.3333331174e-1F;
  return m + (p * m * z - e * 2.12194440e-4F - 0.5F * z) + e * 0.693359375F;
}

/// The square root within 2 units in the last place, of 0 or a normal positive number. std::sqrt() may set
/// errno, which keeps a loop from becoming vector code.
inline float sqrt(float x) noexcept {
  // Three Newton steps on an estimate of the inverse root.
  float inverse = std::bit_cast<float>(0x5f3759df - (std::bit_cast<std::int32_t>(x) >> 1));
  const float half = x * 0.5F;
  inverse = inverse * (1.5F - half * inverse * inverse);
  inverse = inverse * (1.5F - half * inverse * inverse);
  inverse = inverse * (1.5F - half * inverse * inverse);
  return x * inverse;
}

/// The larger one, the second if either is not a number.
inline float max(float a, float b) noexcept {
  return a > b ? a : b;
}

/// The smaller one, the second if either is not a number.
inline float min(float a, float b) noexcept {
  return a < b ? a : b;
}

}  // namespace weft::path_math
