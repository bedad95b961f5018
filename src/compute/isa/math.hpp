#pragma once

#include <compute/isa/vector.hpp>
#include <weft/compute/detail/polynomials.hpp>

// Functions of a register of floats. The polynomials are those of Moshier's Cephes library (1992) unless a
// comment says otherwise; errors are relative and of the whole range.

namespace weft::detail::WEFT_ISA {

/// Whether the value is not a number; never, of an integer. The compiler makes vector code of it, and no
/// function of the standard library's, which the linker might share between instruction sets.
template <class T>
inline __attribute__((always_inline)) bool not_a_number(T value) {
  if constexpr (static_cast<T>(0.5) != static_cast<T>(0)) {
    return __builtin_isnan(value) != 0;
  } else {
    return false;
  }
}

inline __attribute__((always_inline)) ivec bits_of(vec value) {
  return reinterpret_cast<ivec>(value);
}
inline __attribute__((always_inline)) vec from_bits(ivec bits) {
  return reinterpret_cast<vec>(bits);
}
inline __attribute__((always_inline)) vec absolute(vec x) {
  return from_bits(bits_of(x) & 0x7fffffff);
}

// For weft::detail::polynomials.
struct register_lanes {
  using number = vec;
  using whole = ivec;

  static inline __attribute__((always_inline)) ivec bits_of(vec value) {
    return reinterpret_cast<ivec>(value);
  }
  static inline __attribute__((always_inline)) vec from_bits(ivec bits) {
    return reinterpret_cast<vec>(bits);
  }
  static inline __attribute__((always_inline)) vec to_number(ivec value) {
    return __builtin_convertvector(value, vec);
  }
  static inline __attribute__((always_inline)) ivec to_whole(vec value) {
    return __builtin_convertvector(value, ivec);
  }
};

// e^x within 2 units in the last place; infinity above 88.72, 0 below -87.3; not a number stays so.
inline __attribute__((always_inline)) vec exponential(vec x) {
  const vec low = max(broadcast(-87.3F), x);
  const vec clamped = low > 88.8F ? broadcast(88.8F) : low;
  const vec result = polynomials::exponential<register_lanes>(clamped);
  return x < -87.3F ? vec{} : result;
}

// The natural logarithm within 2 units in the last place, of x / 2^`halvings`, x being a normal positive
// number.
inline __attribute__((always_inline)) vec logarithm_of_normal(vec x, vec halvings = vec{}) {
  return polynomials::logarithm<register_lanes>(x, halvings);
}

// The same of any number; of 0 minus infinity, of less not a number.
inline __attribute__((always_inline)) vec logarithm(vec x) {
  const auto tiny = x < 0x1p-126F;
  const vec finite = logarithm_of_normal(tiny ? x * 0x1p23F : x, tiny ? broadcast(23.0F) : vec{});
  const vec infinity = broadcast(__builtin_inff());
  const vec positive = x < infinity ? finite : x;
  return x > 0.0F ? positive : x == 0.0F ? -infinity : broadcast(__builtin_nanf(""));
}

inline __attribute__((always_inline)) vec hyperbolic_tangent(vec x) {
  const vec size_of_x = absolute(x);
  const vec z = x * x;
  vec p = broadcast(-5.70498872745e-3F);
  p = p * z + 2.06390887954e-2F;
  p = p * z - 5.37397155531e-2F;
  p = p * z + 1.33314422036e-1F;
  p = p * z - 3.33332819422e-1F;
  const vec small = p * z * x + x;
  const vec large = 1.0F - 2.0F / (exponential(2.0F * size_of_x) + 1.0F);
  const vec signed_large = from_bits(bits_of(large) | (bits_of(x) & static_cast<std::int32_t>(0x80000000U)));
  return size_of_x < 0.625F ? small : signed_large;
}

// x times the normal distribution's probability of being below x, within 3e-7 of |x| (Abramowitz and Stegun,
// "Handbook of mathematical functions", 1964, 7.1.26).
inline __attribute__((always_inline)) vec gaussian_error_unit(vec x) {
  const vec a = absolute(x) * 0.70710678F;
  const vec t = 1.0F / (1.0F + 0.3275911F * a);
  vec p = broadcast(1.061405429F);
  p = p * t - 1.453152027F;
  p = p * t + 1.421413741F;
  p = p * t - 0.284496736F;
  p = p * t + 0.254829592F;
  const vec tail = 0.5F * p * t * exponential(-(a * a));
  return x > 0.0F ? x - x * tail : x * tail;
}

// The sine and cosine of 2 pi turns, 0 <= turns < 1, within 1e-7.
inline __attribute__((always_inline)) void sine_and_cosine(vec turns, vec& sine, vec& cosine) {
  const vec shifter = broadcast(0x1.8p23F);
  const vec quarter = (turns * 4.0F + shifter) - shifter;
  const vec r = (turns - quarter * 0.25F) * 6.28318531F;
  const vec z = r * r;
  const vec s = ((-1.9515295891e-4F * z + 8.3321608736e-3F) * z - 1.6666654611e-1F) * z * r + r;
  const vec c = ((2.443315711809948e-5F * z - 1.388731625493765e-3F) * z + 4.166664568298827e-2F) * z * z -
                0.5F * z + 1.0F;
  const ivec q = __builtin_convertvector(quarter, ivec);
  const auto odd = (q & 1) != 0;
  const ivec sine_sign = (q & 2) << 30;
  const ivec cosine_sign = ((q + 1) & 2) << 30;
  sine = from_bits(bits_of(odd ? c : s) ^ sine_sign);
  cosine = from_bits(bits_of(odd ? s : c) ^ cosine_sign);
}

}  // namespace weft::detail::WEFT_ISA
