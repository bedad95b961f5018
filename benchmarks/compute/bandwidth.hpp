#pragma once

#include <immintrin.h>

#include <algorithm>  // for std::max
#include <chrono>     // for std::chrono::steady_clock
#include <cstdint>    // for std::int64_t

// What memory allows on one thread: loops with the traffic of the cases that it bounds, and only as much
// arithmetic as it takes to use what is read. Each is the best of its runs.

/// Bytes a second of a loop over so many bytes.
template <class Loop>
double best_bandwidth(double bytes, const Loop& loop) {
  using clock = std::chrono::steady_clock;
  double best = 0.0;
  for (int run = 0; run < 7; ++run) {
    const clock::time_point begin = clock::now();
    loop();
    best = std::max(best, bytes / std::chrono::duration<double>(clock::now() - begin).count());
  }
  return best;
}

inline constexpr std::int64_t floats_ahead = 8192;

/// Of reading an array, whose number of elements is a multiple of 64.
inline double read_bandwidth(const float* from, std::int64_t count) {
  return best_bandwidth(4.0 * static_cast<double>(count), [&] {
    __m128 sums[16] = {};
    for (std::int64_t i = 0; i < count; i += 64) {
      for (std::int64_t line = 0; line < 64; line += 16)
        _mm_prefetch(reinterpret_cast<const char*>(from + i + line + floats_ahead), _MM_HINT_T0);
      for (std::int64_t j = 0; j < 16; ++j) sums[j] = _mm_add_ps(sums[j], _mm_loadu_ps(from + i + 4 * j));
    }
    volatile float used = 0.0F;
    for (const __m128& sum : sums) used = used + _mm_cvtss_f32(sum);
  });
}

/// Of STREAM's Add with one operand twice, counted as three arrays; the arrays are aligned to 16 bytes.
inline double add_bandwidth(const float* from, float* to, std::int64_t count) {
  return best_bandwidth(12.0 * static_cast<double>(count), [&] {
    for (std::int64_t i = 0; i < count; i += 4) {
      const __m128 value = _mm_loadu_ps(from + i);
      _mm_stream_ps(to + i, _mm_add_ps(value, value));
    }
    _mm_sfence();
  });
}

/// Of three arrays that are read and written, and one that is read: how many elements a second.
inline double update_rate(float* first, float* second, float* third, const float* read, std::int64_t count) {
  return best_bandwidth(static_cast<double>(count), [&] {
    for (std::int64_t i = 0; i < count; i += 4) {
      const __m128 value = _mm_loadu_ps(read + i);
      _mm_storeu_ps(first + i, _mm_add_ps(value, _mm_loadu_ps(first + i)));
      _mm_storeu_ps(second + i, _mm_add_ps(value, _mm_loadu_ps(second + i)));
      _mm_storeu_ps(third + i, _mm_add_ps(value, _mm_loadu_ps(third + i)));
    }
  });
}
