#include <compute/isa/math.hpp>
#include <compute/kernel_table.hpp>

// Products of 16-bit numbers, added up as floats. Both factors are packed, which widens them to floats, or,
// where the processor multiplies pairs of bfloat16, only puts the pairs together. Every output element is one
// chain of additions, of each pair of depths 2k and 2k + 1 the latter first, as the processors' instruction
// has it; products of two 16-bit numbers are exact in float, so the chain has the same bits with every
// instruction set, whether it multiplies and adds in one or not.

namespace weft::detail::WEFT_ISA {
namespace {

typedef std::uint16_t words __attribute__((vector_size(lanes * sizeof(std::uint16_t))));
typedef std::uint16_t unaligned_words
    __attribute__((vector_size(lanes * sizeof(std::uint16_t)), aligned(2), may_alias));
typedef std::uint64_t two_lanes __attribute__((vector_size(lanes * sizeof(std::uint32_t))));
typedef std::uint32_t uvec __attribute__((vector_size(lanes * sizeof(std::uint32_t))));

constexpr size panel_of_words = 2 * lanes;
constexpr int rows_of_words = max_rows < 8 ? max_rows : 8;

// The first `count` of a register's elements; the others are 0.
__attribute__((always_inline)) inline words load_words(const std::uint16_t* from, size count) {
  if (count >= lanes) return *reinterpret_cast<const unaligned_words*>(from);
#if defined(__AVX512BW__)
  const __m256i some = _mm256_maskz_loadu_epi16(static_cast<__mmask16>(count > 0 ? (1U << count) - 1U : 0U),
                                                static_cast<const void*>(from));
  return reinterpret_cast<words>(some);
#else
  words some{};
  for (size i = 0; i < count; ++i) some[i] = from[i];
  return some;
#endif
}

__attribute__((always_inline)) inline void store_words(std::uint16_t* to, words values, size count) {
  if (count >= lanes) {
    *reinterpret_cast<unaligned_words*>(to) = values;
    return;
  }
  for (size i = 0; i < count; ++i) to[i] = values[i];
}

// How 16-bit numbers are widened and rounded. `four` widens those in the lower half of a register.
struct bfloat16_format {
  __attribute__((always_inline)) static vec widen(words values) {
    return reinterpret_cast<vec>(__builtin_convertvector(values, uvec) << 16);
  }
  __attribute__((always_inline)) static __m128 four(__m128i values) {
    return _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), values));
  }
  __attribute__((always_inline)) static words round(vec value) {
    const uvec bits = reinterpret_cast<uvec>(value);
    const uvec nearest = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
    const uvec quiet = (bits >> 16) | 0x40U;
    return __builtin_convertvector((bits & 0x7fffffffU) > 0x7f800000U ? quiet : nearest, words);
  }
};

struct half_format {
#if defined(__AVX512F__)
  __attribute__((always_inline)) static vec widen(words values) {
    // Unmasked, GCC 12 finds an uninitialised variable in its own header.
    return _mm512_maskz_cvtph_ps(static_cast<__mmask16>(0xffff), reinterpret_cast<__m256i>(values));
  }
  __attribute__((always_inline)) static words round(vec value) {
    return reinterpret_cast<words>(
        _mm512_maskz_cvtps_ph(static_cast<__mmask16>(0xffff), value, _MM_FROUND_TO_NEAREST_INT));
  }
#elif defined(__F16C__)
  __attribute__((always_inline)) static vec widen(words values) {
    return _mm256_cvtph_ps(reinterpret_cast<__m128i>(values));
  }
  __attribute__((always_inline)) static words round(vec value) {
    return reinterpret_cast<words>(_mm256_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT));
  }
#else
  // As weft::half does it.
  __attribute__((always_inline)) static vec widen(words values) {
    const uvec bits = __builtin_convertvector(values, uvec);
    const uvec magnitude = bits & 0x7fffU;
    const vec small = __builtin_convertvector(reinterpret_cast<ivec>(magnitude), vec) * 0x1p-24F;
    const uvec normal =
        (magnitude << 13) + (magnitude >= 0x7c00U ? uvec{} + 0x70000000U : uvec{} + 0x38000000U);
    const uvec wide = magnitude < 0x400U ? reinterpret_cast<uvec>(small) : normal;
    return reinterpret_cast<vec>(wide | ((bits & 0x8000U) << 16));
  }
  __attribute__((always_inline)) static words round(vec value) {
    const uvec bits = reinterpret_cast<uvec>(value);
    const uvec magnitude = bits & 0x7fffffffU;
    const uvec normal = (magnitude + 0xfffU + ((magnitude >> 13) & 1U) - 0x38000000U) >> 13;
    const uvec small = reinterpret_cast<uvec>(reinterpret_cast<vec>(magnitude) + 0.5F) - 0x3f000000U;
    uvec narrow = magnitude < 0x38800000U ? small : normal;
    narrow = magnitude >= 0x477ff000U ? uvec{} + 0x7c00U : narrow;
    narrow = magnitude > 0x7f800000U ? uvec{} + 0x7e00U : narrow;
    return __builtin_convertvector(narrow | ((bits >> 16) & 0x8000U), words);
  }
#endif
#if defined(__F16C__)
  __attribute__((always_inline)) static __m128 four(__m128i values) {
    return _mm_cvtph_ps(values);
  }
#else
  __attribute__((always_inline)) static __m128 four(__m128i values) {
    words lower;
    for (int lane = 0; lane < 4; ++lane) lower[lane] = reinterpret_cast<unaligned_eight>(values)[lane];
    return widen(lower);
  }
  typedef std::uint16_t unaligned_eight __attribute__((vector_size(16)));
#endif
};

// What is packed: steps of 32 bits, of which the depth has `count(depth)`.

template <class Format>
struct widened : Format {
  static constexpr size depths = 1;
  static constexpr size count(size depth) { return depth + depth % 2; }
  // One step of neighbours whose next depth is `stride` behind them.
  __attribute__((always_inline)) static vec neighbours(const std::uint16_t* from, size stride, size step,
                                                       size depth, size width) {
    const size k = step ^ 1;
    return k < depth ? Format::widen(load_words(from + k * stride, width)) : vec{};
  }
  // Four steps whose depths lie one behind the other.
  __attribute__((always_inline)) static __m128 steps(const std::uint16_t* from) {
    const __m128 four = Format::four(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
    return _mm_shuffle_ps(four, four, _MM_SHUFFLE(2, 3, 0, 1));
  }
  // A register of them.
  __attribute__((always_inline)) static vec row(const std::uint16_t* from) {
    const two_lanes pairs = reinterpret_cast<two_lanes>(Format::widen(load_words(from, lanes)));
    return reinterpret_cast<vec>((pairs << 32) | (pairs >> 32));
  }
  __attribute__((always_inline)) static vec multiply_add(vec sum, const float* left, vec right) {
    return sum + broadcast(*left) * right;
  }
};

#if defined(__AVX512BF16__)
struct pairs : bfloat16_format {
  // Of a sum, which is not subnormal, the instruction makes the same.
  __attribute__((always_inline)) static words round(vec value) {
    return reinterpret_cast<words>(_mm512_cvtneps_pbh(value));
  }
  static constexpr size depths = 2;
  static constexpr size count(size depth) { return (depth + 1) / 2; }
  __attribute__((always_inline)) static vec neighbours(const std::uint16_t* from, size stride, size step,
                                                       size depth, size width) {
    const std::uint16_t* const low = from + 2 * step * stride;
    const uvec first = __builtin_convertvector(load_words(low, width), uvec);
    if (2 * step + 1 >= depth) return reinterpret_cast<vec>(first);
    return reinterpret_cast<vec>(first |
                                 (__builtin_convertvector(load_words(low + stride, width), uvec) << 16));
  }
  __attribute__((always_inline)) static __m128 steps(const std::uint16_t* from) {
    return _mm_castsi128_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  __attribute__((always_inline)) static vec row(const std::uint16_t* from) {
    return _mm512_castsi512_ps(_mm512_loadu_si512(static_cast<const void*>(from)));
  }
  __attribute__((always_inline)) static vec multiply_add(vec sum, const float* left, vec right) {
    const __m512 both = _mm512_set1_ps(*left);
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(both), reinterpret_cast<__m512bh>(right));
  }
};
#endif

template <class Packed>
void pack_neighbours(const std::uint16_t* from, size stride, size depth, size width, size padded, float* to) {
  const size count = Packed::count(depth);
  size step = 0;
  if (width == 2 * lanes) {
    for (; (step + 2) * Packed::depths <= depth; ++step, to += 2 * lanes) {
      store(to, Packed::neighbours(from, stride, step, depth, lanes));
      store(to + lanes, Packed::neighbours(from + lanes, stride, step, depth, lanes));
    }
  }
  for (; step < count; ++step, to += padded) {
    for (size at = 0; at < padded; at += lanes) {
      store(to + at, Packed::neighbours(from + at, stride, step, depth, width - at));
    }
  }
}

#if defined(__AVX512F__)
typedef float eight_floats __attribute__((vector_size(32), aligned(4), may_alias));

__attribute__((always_inline)) inline eight_floats lower_half(vec value) {
  return __builtin_shufflevector(value, value, 0, 1, 2, 3, 4, 5, 6, 7);
}
__attribute__((always_inline)) inline eight_floats upper_half(vec value) {
  return __builtin_shufflevector(value, value, 8, 9, 10, 11, 12, 13, 14, 15);
}

// A register of steps of eight rows, which become eight neighbours of so many steps.
template <class Packed>
__attribute__((always_inline)) inline void pack_eight(const std::uint16_t* from, size stride, size padded,
                                                      float* to) {
  vec pairs[8];  // of rows r and r + 1, the lower and the upper steps of each group of four
  for (int r = 0; r < 8; r += 2) {
    const vec one = Packed::row(from + r * stride);
    const vec other = Packed::row(from + (r + 1) * stride);
    pairs[r] = __builtin_shufflevector(one, other, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
    pairs[r + 1] =
        __builtin_shufflevector(one, other, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  }
  for (int upper = 0; upper < 2; ++upper) {
    vec fours[4];  // of rows 0 to 3 the steps 0, 4, 8, 12 and 1, 5, 9, 13 of the half, then of rows 4 to 7
    for (int r = 0; r < 4; r += 2) {
      const vec one = pairs[2 * r + upper];
      const vec other = pairs[2 * r + 2 + upper];
      fours[r] =
          __builtin_shufflevector(one, other, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
      fours[r + 1] =
          __builtin_shufflevector(one, other, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    }
    for (int odd = 0; odd < 2; ++odd) {
      float* const target = to + (2 * upper + odd) * padded;
      const vec low = __builtin_shufflevector(fours[odd], fours[odd + 2], 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6,
                                              7, 20, 21, 22, 23);
      const vec high = __builtin_shufflevector(fours[odd], fours[odd + 2], 8, 9, 10, 11, 24, 25, 26, 27, 12,
                                               13, 14, 15, 28, 29, 30, 31);
      for (int half = 0; half < 2; ++half) {
        const vec four = half == 0 ? low : high;
        *reinterpret_cast<eight_floats*>(target + 8 * half * padded) = lower_half(four);
        *reinterpret_cast<eight_floats*>(target + (8 * half + 4) * padded) = upper_half(four);
      }
    }
  }
}
#endif

// Four steps of four rows, which become four neighbours of four steps.
__attribute__((always_inline)) inline void pack_four(__m128 row0, __m128 row1, __m128 row2, __m128 row3,
                                                     size count, size padded, float* to) {
  _MM_TRANSPOSE4_PS(row0, row1, row2, row3);
  _mm_storeu_ps(to, row0);
  if (count > 1) _mm_storeu_ps(to + padded, row1);
  if (count > 2) _mm_storeu_ps(to + 2 * padded, row2);
  if (count > 3) _mm_storeu_ps(to + 3 * padded, row3);
}

// The same of a matrix whose depths lie one behind the other, and whose rows are neighbours here. Up to three
// floats behind the last step are written as well.
template <class Packed>
void pack_rows(const std::uint16_t* from, size stride, size depth, size width, size padded, float* to) {
  constexpr size together = 4 * Packed::depths;
  const size count = Packed::count(depth);
  size eights = 0;  // columns of which all full registers are packed together
#if defined(__AVX512F__)
  constexpr size register_depth = lanes * Packed::depths;
  const size whole = depth - depth % register_depth;
  for (; eights + 8 <= width; eights += 8) {
    for (size k = 0; k < whole; k += register_depth) {
      pack_eight<Packed>(from + eights * stride + k, stride, padded, to + Packed::count(k) * padded + eights);
    }
  }
#else
  constexpr size whole = 0;
#endif
  for (size column = 0; column < width; column += 4) {
    if (column + 4 > width && width >= 4) column = width - 4;  // some of them once more
    const std::uint16_t* const source = from + column * stride;
    size step = column + 4 <= eights ? whole / Packed::depths : 0;
    if (width >= 4) {
      for (; (step + 4) * Packed::depths <= depth; step += 4) {
        const std::uint16_t* const at = source + step * Packed::depths;
        pack_four(Packed::steps(at), Packed::steps(at + stride), Packed::steps(at + 2 * stride),
                  Packed::steps(at + 3 * stride), 4, padded, to + step * padded + column);
      }
    }
    for (; step < count; step += 4) {
      const size k = step * Packed::depths;
      std::uint16_t rest[4][together] = {};
      for (size row = 0; row < 4 && column + row < width; ++row) {
        for (size i = 0; i < together && k + i < depth; ++i) rest[row][i] = source[row * stride + k + i];
      }
      pack_four(Packed::steps(rest[0]), Packed::steps(rest[1]), Packed::steps(rest[2]),
                Packed::steps(rest[3]), count - step, padded, to + step * padded + column);
    }
  }
  for (size step = 0; step < count; ++step) {
    for (size empty = width; empty < padded; ++empty) to[step * padded + empty] = 0.0F;
  }
}

// Two registers of so many rows: sums = left * right, or sums + left * right; or that rounded, if there is an
// output for it. Meanwhile a part of the next panel is fetched.
template <class Packed, int Rows>
__attribute__((noinline)) void words_block(const float* left, const float* right, size steps, bool add,
                                           float* sums, size stride, matrix<std::uint16_t> output,
                                           matrix<const float> next) {
  vec sum[Rows][2];
  if (add) {
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      sum[r][0] = load(sums + r * stride);
      sum[r][1] = load(sums + r * stride + lanes);
    }
  } else {
    for (int r = 0; r < Rows; ++r) sum[r][0] = sum[r][1] = vec{};
  }
  const auto multiply = [&](size step) __attribute__((always_inline)) {
    const vec first = load(right + step * panel_of_words);
    const vec second = load(right + step * panel_of_words + lanes);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      sum[r][0] = Packed::multiply_add(sum[r][0], left + step * Rows + r, first);
      sum[r][1] = Packed::multiply_add(sum[r][1], left + step * Rows + r, second);
    }
  };
  size step = 0;
  for (; step + 4 <= steps; step += 4) {
#pragma GCC unroll 4
    for (int line = 0; line < (4 * Rows + 15) / 16; ++line)
      __builtin_prefetch(left + (step + 32) * Rows + line * 16);
    __builtin_prefetch(next.data + step * next.stride, 0, 2);
    multiply(step);
    multiply(step + 1);
    multiply(step + 2);
    multiply(step + 3);
  }
  for (; step < steps; ++step) multiply(step);
  if (output.data != nullptr) {
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      store_words(output.data + r * output.stride, Packed::round(sum[r][0]), lanes);
      store_words(output.data + r * output.stride + lanes, Packed::round(sum[r][1]), lanes);
    }
    return;
  }
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
    store(sums + r * stride, sum[r][0]);
    store(sums + r * stride + lanes, sum[r][1]);
  }
}

template <class Packed, int Rows>
__attribute__((always_inline)) inline void words_block_of(size rows, const float* left, const float* right,
                                                          size steps, bool add, float* sums, size stride,
                                                          matrix<std::uint16_t> output,
                                                          matrix<const float> next) {
  if constexpr (Rows > 0) {
    if (rows == Rows) {
      words_block<Packed, Rows>(left, right, steps, add, sums, stride, output, next);
    } else {
      words_block_of<Packed, Rows - 1>(rows, left, right, steps, add, sums, stride, output, next);
    }
  }
}

__attribute__((noinline)) vec gelu(vec value) {
  return gaussian_error_unit(value);
}

// Columns [column, column + panel_of_words), as far as there are, of some rows.
template <class Packed>
void finish_words(const product16_arguments& arguments, size row, size rows, size column, size columns,
                  const float* sums, size stride) {
  std::uint16_t* output = arguments.output.data + row * arguments.output.stride + column;
  for (size r = 0; r < rows; ++r, output += arguments.output.stride, sums += stride) {
    for (size at = 0; at < panel_of_words && column + at < columns; at += lanes) {
      const size width = columns - column - at;
      vec value = load(sums + at);
      if (arguments.bias != nullptr) value += Packed::widen(load_words(arguments.bias + column + at, width));
      if (arguments.after == activation::relu) value = max(vec{}, value);
      if (arguments.after == activation::gelu) value = gelu(value);
      store_words(output + at, Packed::round(value), width);
    }
  }
}

// Rows in blocks of nearly equal height.
struct row_blocks {
  size rows, count;
  explicit row_blocks(size all) : rows(all), count((all + rows_of_words - 1) / rows_of_words) {}
  size begin(size index) const {
    const size taller = rows % count;
    return rows / count * index + (index < taller ? index : taller);
  }
  size height(size index) const { return begin(index + 1) - begin(index); }
};

// A stretch of the depth of some rows of the left factor, in blocks of neighbours. Up to a register behind
// them is written as well.
template <class Packed>
void pack_left(const product16_arguments& arguments, size row, size rows, const stretch& part, float* to) {
  const std::uint16_t* const from =
      arguments.left + row * arguments.left_row + part.begin * arguments.left_depth;
  const size count = Packed::count(part.depth);
#if defined(__AVX512F__)
  if (arguments.left_depth != 1 && rows % 8 == 0) {  // a register is two blocks
    for (size step = 0; step < count; ++step) {
      for (size r = 0; r < rows; r += lanes) {
        const vec both = Packed::neighbours(from + r, arguments.left_depth, step, part.depth, rows - r);
        float* const target = to + r * count + step * 8;
        *reinterpret_cast<eight_floats*>(target) = lower_half(both);
        if (r + 8 < rows) *reinterpret_cast<eight_floats*>(target + 8 * count) = upper_half(both);
      }
    }
    return;
  }
#endif
  const row_blocks blocks(rows);
  for (size index = 0; index < blocks.count; ++index) {
    const size height = blocks.height(index);
    if (arguments.left_depth == 1) {
      pack_rows<Packed>(from + blocks.begin(index) * arguments.left_row, arguments.left_row, part.depth,
                        height, height, to);
    } else {
      pack_neighbours<Packed>(from + blocks.begin(index), arguments.left_depth, part.depth, height, height,
                              to);
    }
    to += height * count;
  }
}

template <class Packed>
void pack_right_of(const product16_arguments& arguments, const stretch& slab, const stretch& part,
                   size column_begin, size column_end, float* to) {
  const size stride = arguments.right.stride;
  const size panel = Packed::count(slab.depth) * panel_of_words;
  to += Packed::count(part.begin - slab.begin) * panel_of_words;
  if (arguments.right_transposed) {
    for (size column = column_begin; column < column_end; column += panel_of_words, to += panel) {
      const size width = column_end - column < panel_of_words ? column_end - column : panel_of_words;
      pack_rows<Packed>(arguments.right.data + column * stride + part.begin, stride, part.depth, width,
                        panel_of_words, to);
    }
    return;
  }
  // Some rows of all panels at a time: what lies together in memory is read together.
  constexpr size together = 8;
  for (size k = 0; k < part.depth; k += together) {
    const size depth = part.depth - k < together ? part.depth - k : together;
    const std::uint16_t* const from = arguments.right.data + (part.begin + k) * stride;
    float* target = to + Packed::count(k) * panel_of_words;
    for (size column = column_begin; column < column_end; column += panel_of_words, target += panel) {
      const size width = column_end - column < panel_of_words ? column_end - column : panel_of_words;
      for (size r = 0; r < depth; ++r)
        __builtin_prefetch(from + (r + together) * stride + column + width - 1);
      pack_neighbours<Packed>(from + column, stride, depth, width, panel_of_words, target);
    }
  }
}

template <class Packed>
void product16_of(const product16_arguments& arguments, const stretch& slab, const tile& area,
                  const float* right, float* sums, size stride, float* scratch) {
  const flush_denormals flush;
  constexpr size deep = product16_steps * Packed::depths;
  const size rows = area.row_end - area.row_begin;
  if (rows == 0) return;
  const row_blocks blocks(rows);
  const size panel = Packed::count(slab.depth) * panel_of_words;
  const bool plain = arguments.bias == nullptr && arguments.after == activation::none;
  size at = 0;
  do {
    const stretch part{slab.begin + at, slab.depth - at < deep ? slab.depth - at : deep};
    const size steps = Packed::count(part.depth);
    const bool last = part.begin + part.depth == arguments.depth;
    pack_left<Packed>(arguments, area.row_begin, rows, part, scratch);
    const float* from = right + Packed::count(at) * panel_of_words;
    for (size column = area.column_begin; column < area.column_end; column += panel_of_words, from += panel) {
      const bool direct = last && plain && column + panel_of_words <= area.column_end;
      matrix<const float> next{
          from + panel, (panel_of_words + blocks.count - 1) / blocks.count};  // all blocks fetch it all
      for (size index = 0; index < blocks.count; ++index) {
        const size row = blocks.begin(index);
        const size height = blocks.height(index);
        float* const here = sums + row * stride + column - area.column_begin;
        const matrix<std::uint16_t> output{
            arguments.output.data + (area.row_begin + row) * arguments.output.stride + column,
            arguments.output.stride};
        for (size r = 0; last && r < height; ++r) __builtin_prefetch(output.data + r * output.stride, 1);
        words_block_of<Packed, rows_of_words>(height, scratch + row * steps, from, steps, part.begin > 0,
                                              here, stride, direct ? output : matrix<std::uint16_t>{}, next);
        next.data += steps * next.stride;
        if (last && !direct) {
          finish_words<Packed>(arguments, area.row_begin + row, height, column, area.column_end, here,
                               stride);
        }
      }
    }
    at += part.depth;
  } while (at < slab.depth);
}

#if defined(__AVX512BF16__)
using packed_bfloat16 = pairs;
#else
using packed_bfloat16 = widened<bfloat16_format>;
#endif

std::int64_t packed_depth(number16 type, std::int64_t depth) {
  return type == number16::bfloat16 ? packed_bfloat16::count(depth) : widened<half_format>::count(depth);
}

void pack_right(const product16_arguments& arguments, const stretch& slab, const stretch& part,
                std::int64_t column_begin, std::int64_t column_end, float* to) {
  if (arguments.type == number16::bfloat16) {
    pack_right_of<packed_bfloat16>(arguments, slab, part, column_begin, column_end, to);
  } else {
    pack_right_of<widened<half_format>>(arguments, slab, part, column_begin, column_end, to);
  }
}

void product(const product16_arguments& arguments, const stretch& slab, const tile& area, const float* right,
             float* sums, std::int64_t stride, float* scratch) {
  if (arguments.type == number16::bfloat16) {
    product16_of<packed_bfloat16>(arguments, slab, area, right, sums, stride, scratch);
  } else {
    product16_of<widened<half_format>>(arguments, slab, area, right, sums, stride, scratch);
  }
}

}  // namespace

extern const product16_table product16_kernels;
const product16_table product16_kernels{
    .packed_depth = packed_depth, .pack_right = pack_right, .product = product};

}  // namespace weft::detail::WEFT_ISA
