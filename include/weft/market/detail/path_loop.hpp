#pragma once

#include <weft/market/path_math.hpp>

#include <bit>      // for std::bit_cast
#include <cmath>    // for std::cos, std::exp2, std::fabs, std::log2, std::sin, std::sqrt
#include <cstdint>  // for std::int64_t, std::uint32_t, std::uint64_t

// What a thread of a GPU does for a path: plain functions, which the processor can run too.

#ifdef __CUDA_ARCH__
#define WEFT_UNROLLED _Pragma("unroll")
#else
#define WEFT_UNROLLED
#endif

namespace weft::detail {

/// Functions that a GPU has units for, one or two instructions each, and what stands for them on the
/// processor. Errors (NVIDIA, "PTX ISA", and for the angle "CUDA C++ programming guide"): of the logarithm
/// 2^-22, absolute between 1/2 and 2 and relative elsewhere; of the power 2^-22 and of the root 2^-23,
/// relative; of sine and cosine, of -pi to pi, 2^-21.4 and 2^-21.1, absolute.
struct gpu_math {
  WEFT_HOST_DEVICE static float log2(float x) {
#ifdef __CUDA_ARCH__
    float result;
    asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
#else
    return std::log2(x);
#endif
  }
  WEFT_HOST_DEVICE static float exp2(float x) {
#ifdef __CUDA_ARCH__
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
#else
    return std::exp2(x);
#endif
  }
  WEFT_HOST_DEVICE static float root(float x) {
#ifdef __CUDA_ARCH__
    float result;
    asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
#else
    return std::sqrt(x);
#endif
  }
  WEFT_HOST_DEVICE static float sine(float x) {
#ifdef __CUDA_ARCH__
    float result;
    asm("sin.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
#else
    return std::sin(x);
#endif
  }
  WEFT_HOST_DEVICE static float cosine(float x) {
#ifdef __CUDA_ARCH__
    float result;
    asm("cos.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
#else
    return std::cos(x);
#endif
  }
};

/// Philox 4x32-10's keys, a pair for each round.
struct path_keys {
  std::uint32_t first[10], second[10];

  explicit path_keys(std::uint64_t seed) {
    for (std::uint32_t round = 0; round < 10; ++round) {
      first[round] = static_cast<std::uint32_t>(seed) + round * 0x9E3779B9U;
      second[round] = static_cast<std::uint32_t>(seed >> 32) + round * 0xBB67AE85U;
    }
  }
};

/// Two normal numbers of two words (Box and Muller, 1958): a radius from 31 bits, an angle from 23.
template <class Math>
WEFT_HOST_DEVICE inline void normals_of(std::uint32_t one, std::uint32_t other, float* output) {
  const float uniform = static_cast<float>(one | 1U) * 0x1p-32F;
  // Never above 0, but for the error of what is all but 1.
  const float radius = Math::root(std::fabs(Math::log2(uniform)) * 1.38629436F);
  // A number of [1, 2) has the upper bits as its fraction, so many turns; half a one off, the angle is small.
#ifdef __CUDA_ARCH__
  const float turns = __uint_as_float(__funnelshift_r(other, 0x7fU, 9));
#else
  const auto turns = std::bit_cast<float>((other >> 9) | 0x3f800000U);
#endif
  const float angle = turns * 6.28318531F - 9.42477796F;
  output[0] = -radius * Math::cosine(angle);
  output[1] = -radius * Math::sine(angle);
}

/// The four normal numbers of block (path, block, factor) of Philox 4x32-10.
template <class Math = gpu_math>
WEFT_HOST_DEVICE inline void draw_normals(const path_keys& keys, std::int64_t path, std::uint32_t block,
                                          int factor, float* output) {
  std::uint32_t word[4] = {static_cast<std::uint32_t>(path),
                           static_cast<std::uint32_t>(static_cast<std::uint64_t>(path) >> 32), block,
                           static_cast<std::uint32_t>(factor)};
  WEFT_UNROLLED
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t first = std::uint64_t{0xD2511F53U} * word[0];
    const std::uint64_t second = std::uint64_t{0xCD9E8D57U} * word[2];
    word[0] = static_cast<std::uint32_t>(second >> 32) ^ word[1] ^ keys.first[round];
    word[1] = static_cast<std::uint32_t>(second);
    word[2] = static_cast<std::uint32_t>(first >> 32) ^ word[3] ^ keys.second[round];
    word[3] = static_cast<std::uint32_t>(first);
  }
  normals_of<Math>(word[0], word[1], output);
  normals_of<Math>(word[2], word[3], output + 2);
}

/// What a path pays, and its control variate.
struct path_pay {
  float value, control;
};

/// One path. A Path has up to `most_factors` normal numbers a step, `factors()` of them now, and a `state`,
/// which start() makes, step() moves by number `step` of four of each factor, and finish() makes a path_pay
/// of.
template <class Path>
WEFT_HOST_DEVICE inline path_pay simulate_path(const Path& all, const path_keys& keys, std::int64_t path,
                                               std::uint32_t steps) {
  typename Path::state state = all.start();
  float normals[Path::most_factors][4];
  const auto draw = [&](std::uint32_t block) {
    for (int factor = 0; factor < all.factors(); ++factor) {
      draw_normals(keys, path, block, factor, normals[factor]);
    }
  };
  const std::uint32_t blocks = steps / 4;
  for (std::uint32_t block = 0; block < blocks; ++block) {
    draw(block);
    WEFT_UNROLLED
    for (int step = 0; step < 4; ++step) all.step(state, normals, step);
  }
  const auto rest = static_cast<int>(steps % 4);
  if (rest != 0) {
    draw(blocks);
    WEFT_UNROLLED
    for (int step = 0; step < 3; ++step) {
      if (step < rest) all.step(state, normals, step);
    }
  }
  return all.finish(state);
}

/// Which paths, and where what they pay goes; controls may be null.
struct path_window {
  path_keys keys;
  std::uint32_t steps;
  std::int64_t begin, count;
  float* values;
  float* controls;
};

/// Path `begin + index`.
template <class Path>
WEFT_HOST_DEVICE inline void pay_path(const Path& all, const path_window& window, std::int64_t index) {
  const path_pay pays = simulate_path(all, window.keys, window.begin + index, window.steps);
  window.values[index] = pays.value;
  if (window.controls != nullptr) window.controls[index] = pays.control;
}

}  // namespace weft::detail
