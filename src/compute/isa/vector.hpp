#pragma once

#include <compute/kernel_table.hpp>

#include <immintrin.h>  // intrinsics are always inlined, so nothing of them reaches the linker

// One register of floats and what the kernels do with it, for the instruction set this file is compiled for.
// Only language features and compiler built-ins: see kernel_table.hpp for why.

namespace weft::detail::WEFT_ISA {

#if defined(__AVX512F__)
inline constexpr int lanes = 16;
inline constexpr int max_rows = 14;  // 14 x 2 accumulators, 2 columns, 1 broadcast: 31 of 32 registers
#elif defined(__AVX2__)
inline constexpr int lanes = 8;
inline constexpr int max_rows = 6;  // 6 x 2 accumulators, 2 columns, 1 broadcast: 15 of 16 registers
#else
inline constexpr int lanes = 4;
inline constexpr int max_rows = 6;
#endif

using size = std::int64_t;

// A number that is known when a function is compiled which takes this as an argument.
template <size Value>
struct constant {
  static constexpr size value = Value;
};

typedef float vec __attribute__((vector_size(lanes * sizeof(float))));
typedef std::int32_t ivec __attribute__((vector_size(lanes * sizeof(std::int32_t))));
typedef float unaligned_vec __attribute__((vector_size(lanes * sizeof(float)), aligned(4), may_alias));
typedef std::uint8_t unaligned_bytes __attribute__((vector_size(lanes), aligned(1), may_alias));

inline __attribute__((always_inline)) vec load(const float* from) {
  return *reinterpret_cast<const unaligned_vec*>(from);
}

inline __attribute__((always_inline)) void store(float* to, vec value) {
  *reinterpret_cast<unaligned_vec*>(to) = value;
}

// Writes registers that lie one after the other to memory, without reading its lines first and without
// keeping them in a cache. `to` is aligned to a register; stream_fence() comes before another thread may read
// it.
template <size Registers>
inline __attribute__((always_inline)) void stream(void* to, const void* from) {
  for (size index = 0; index < Registers; ++index) {
#if defined(__AVX512F__)
    _mm512_stream_si512(static_cast<__m512i*>(to) + index, static_cast<const __m512i*>(from)[index]);
#elif defined(__AVX2__)
    _mm256_stream_si256(static_cast<__m256i*>(to) + index, static_cast<const __m256i*>(from)[index]);
#else
    _mm_stream_si128(static_cast<__m128i*>(to) + index, static_cast<const __m128i*>(from)[index]);
#endif
  }
}

inline __attribute__((always_inline)) void stream_fence() {
  _mm_sfence();
}

// Subtracting +0 is exact for every value, -0 included, so this compiles to a broadcast and nothing else.
inline __attribute__((always_inline)) vec broadcast(float value) {
  return value - vec{};
}

// The first `count` elements, 0 <= count < lanes; the others are 0.
inline __attribute__((always_inline)) vec load_some(const float* from, size count) {
#if defined(__AVX512F__)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << count) - 1U), from);
#elif defined(__AVX2__)
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_maskload_ps(from, _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lane));
#else
  return vec{count > 0 ? from[0] : 0.0F, count > 1 ? from[1] : 0.0F, count > 2 ? from[2] : 0.0F, 0.0F};
#endif
}

inline __attribute__((always_inline)) void store_some(float* to, vec value, size count) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1U << count) - 1U), value);
#elif defined(__AVX2__)
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  _mm256_maskstore_ps(to, _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lane), value);
#else
  for (int lane = 0; lane < count; ++lane) to[lane] = value[lane];
#endif
}

// The same with `fill` in the lanes that are missing.
inline __attribute__((always_inline)) vec load_some(const float* from, size count, float fill) {
  ivec lane;
  for (int index = 0; index < lanes; ++index) lane[index] = index;
  const vec value = load_some(from, count);
  return lane < static_cast<std::int32_t>(count) ? value : broadcast(fill);
}

// As maxps: b where either is not a number.
inline __attribute__((always_inline)) vec max(vec a, vec b) {
  return a > b ? a : b;
}

// Rounded as the language's.
inline __attribute__((always_inline)) vec square_root(vec value) {
#if defined(__AVX512F__)
  return _mm512_maskz_sqrt_ps(static_cast<__mmask16>(0xffff), value);  // the plain one warns in GCC 12
#elif defined(__AVX2__)
  return _mm256_sqrt_ps(value);
#else
  return _mm_sqrt_ps(value);
#endif
}

// The square root of a finite value that is not negative, within 2 units in the last place. AVX-512's divider
// takes 16 cycles and more for each of root and quotient, and Adam needs both; there the inverse root comes
// from three Newton steps on an estimate by integer arithmetic, which unlike the processors' own estimates
// has the same bits everywhere.
inline __attribute__((always_inline)) vec root(vec value) {
#if defined(__AVX512F__)
  vec inverse = reinterpret_cast<vec>(0x5f3759df - (reinterpret_cast<ivec>(value) >> 1));
  const vec half = value * 0.5F;
  inverse = inverse * (1.5F - half * inverse * inverse);
  inverse = inverse * (1.5F - half * inverse * inverse);
  inverse = inverse * (1.5F - half * inverse * inverse);
  return value * inverse;
#else
  return square_root(value);
#endif
}

// The lanes are folded in halves.
inline __attribute__((always_inline)) float lane_sum(vec value) {
  for (int half = lanes / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) value[lane] += value[lane + half];
  }
  return value[0];
}

inline __attribute__((always_inline)) float lane_max(vec value) {
  for (int half = lanes / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) {
      value[lane] = value[lane] > value[lane + half] ? value[lane] : value[lane + half];
    }
  }
  return value[0];
}

// e^x for x <= 0, within 2 units in the last place; 0 below -87.3; not a number stays so. The range is
// reduced by ln 2 in two parts (Cody and Waite, 1980) and the rest is a polynomial of degree 6 (the Taylor
// series; |r| <= ln 2 / 2).
inline __attribute__((always_inline)) vec exp_of_negative(vec x) {
  const vec clamped = max(broadcast(-87.3F), x);
  const vec shifter =
      broadcast(0x1.8p23F);  // adding it rounds to the nearest integer, in the low mantissa bits
  const vec biased = clamped * 1.44269504F + shifter;
  const vec n = biased - shifter;
  const vec r = (clamped - n * 0.693359375F) + n * 2.12194440e-4F;
  vec p = broadcast(1.0F / 720.0F);
  p = p * r + (1.0F / 120.0F);
  p = p * r + (1.0F / 24.0F);
  p = p * r + (1.0F / 6.0F);
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const ivec exponent = __builtin_convertvector(n, ivec) + 127;
  const vec power = reinterpret_cast<vec>(exponent << 23);
  return x < -87.3F ? vec{} : p * power;
}

// While it lives, numbers below 2^-126 count as zero on this thread. Gradients that vanish and moments that
// decay would otherwise spend most of their time in that range, where every operation takes over a hundred
// cycles.
class flush_denormals {
 public:
  flush_denormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | flush_to_zero | denormals_are_zero); }
  flush_denormals(const flush_denormals&) = delete;
  flush_denormals& operator=(const flush_denormals&) = delete;
  ~flush_denormals() { _mm_setcsr(before_); }

 private:
  static constexpr unsigned flush_to_zero = 0x8000;
  static constexpr unsigned denormals_are_zero = 0x0040;
  unsigned before_;
};

}  // namespace weft::detail::WEFT_ISA
