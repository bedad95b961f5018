#include <compute/isa/convolution.hpp>
#include <compute/isa/pack.hpp>

// Convolutions of stride 1 as products that need no matrix of patches: with the output's rows thought as wide
// as the padded input's, the patch element (channel, y, x) of every output is one stretch of the padded
// planes that begins at its offset. What is computed between two rows of the output is left out at the end.

namespace weft::detail::WEFT_ISA {
namespace {

constexpr size wide = 2 * lanes;

// Rows of the output, two registers wide.
template <int Rows>
__attribute__((noinline)) void outputs_at(const convolution_arguments& arguments, size row, size column,
                                          float* to, size stride) {
  const size depth = arguments.depth;
  const float* weight = arguments.weight + row * depth;
  vec sum[Rows][2];
  for (int r = 0; r < Rows; ++r) {
    sum[r][0] = sum[r][1] = broadcast(arguments.bias == nullptr ? 0.0F : arguments.bias[row + r]);
  }
  for (size k = 0; k < depth; ++k) {
    const float* patch = arguments.padded + arguments.offsets[k] + column;
    const vec left = load(patch);
    const vec right = load(patch + lanes);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const vec w = broadcast(weight[r * depth + k]);
      sum[r][0] += w * left;
      sum[r][1] += w * right;
    }
  }
  for (int r = 0; r < Rows; ++r) {
    store(to + (row + r) * stride + column, sum[r][0]);
    store(to + (row + r) * stride + column + lanes, sum[r][1]);
  }
}

template <int Rows>
__attribute__((always_inline)) inline void outputs_of(int rows, const convolution_arguments& arguments,
                                                      size row, size column, float* to, size stride) {
  if constexpr (Rows > 0) {
    if (rows == Rows) {
      outputs_at<Rows>(arguments, row, column, to, stride);
    } else {
      outputs_of<Rows - 1>(rows, arguments, row, column, to, stride);
    }
  }
}

// The gradient's registers are aligned, the patches' are not and lie in two lines: fewer of the latter.
#if defined(__AVX512F__)
constexpr int correlated_rows = 6;  // 6 x 4 accumulators, 6 gradients, 1 patch: 31 of 32 registers
constexpr int correlated_columns = 4;
#else
constexpr int correlated_rows = 3;  // 3 x 4 accumulators, 3 gradients, 1 patch: 16 of 16 registers
constexpr int correlated_columns = 4;
#endif

template <int Rows, int Columns>
__attribute__((noinline)) void correlate_block(const correlation_arguments& arguments, size row,
                                               size column) {
  constexpr int registers = (Rows * Columns + lanes - 1) / lanes;
  vec sum[registers * lanes] = {};
  const size stride = arguments.stride;
  const float* gradient = arguments.gradient + row * stride;
  const float* padded = arguments.padded;
  for (size image = 0; image < arguments.images; ++image) {
    const float* patch[Columns];
    for (int c = 0; c < Columns; ++c) patch[c] = padded + arguments.offsets[column + c];
    for (size n = 0; n < arguments.columns; n += lanes) {
      vec slope[Rows];
      for (int r = 0; r < Rows; ++r) slope[r] = load(gradient + r * stride + n);
#pragma GCC unroll 4
      for (int c = 0; c < Columns; ++c) {
        const vec value = load(patch[c] + n);
#pragma GCC unroll 6
        for (int r = 0; r < Rows; ++r) sum[r * Columns + c] += slope[r] * value;
      }
    }
    gradient += arguments.columns;
    padded += arguments.padded_image;
  }
  const auto add = [](vec a, vec b) __attribute__((always_inline)) {
    return a + b;
  };
  float sums[registers * lanes];
  for (int i = 0; i < registers; ++i) store(sums + i * lanes, fold_together<float>(sum + i * lanes, add));
  for (int r = 0; r < Rows; ++r) {
    for (int c = 0; c < Columns; ++c)
      arguments.result[(row + r) * arguments.depth + column + c] += sums[r * Columns + c];
  }
}

template <int Rows>
void correlate_rows(int rows, const correlation_arguments& arguments, size row) {
  if constexpr (Rows > 0) {
    if (rows < Rows) return correlate_rows<Rows - 1>(rows, arguments, row);
    size column = 0;
    for (; column + correlated_columns <= arguments.depth; column += correlated_columns)
      correlate_block<Rows, correlated_columns>(arguments, row, column);
    for (; column < arguments.depth; ++column) correlate_block<Rows, 1>(arguments, row, column);
  }
}

}  // namespace

void convolve(const convolution_arguments& arguments, float* scratch) {
  const flush_denormals flush;
  const size columns = (arguments.out_height - 1) * arguments.width + arguments.out_width;
  const size stride = (columns + wide - 1) / wide * wide;
  const size blocks = (arguments.outputs + max_rows - 1) / max_rows;
  for (size column = 0; column < columns; column += wide) {
    size row = 0;
    for (size index = 0; index < blocks; ++index) {
      const size height = arguments.outputs / blocks + (index < arguments.outputs % blocks ? 1 : 0);
      outputs_of<max_rows>(static_cast<int>(height), arguments, row, column, scratch, stride);
      row += height;
    }
  }
  for (size row = 0; row < arguments.outputs; ++row) {
    float* to = arguments.output + row * arguments.out_plane;
    for (size y = 0; y < arguments.out_height; ++y) {
      const float* from = scratch + row * stride + y * arguments.width;
      for (size x = 0; x < arguments.out_width; ++x) *to++ = from[x];
    }
  }
}

void correlate(const correlation_arguments& arguments) {
  const flush_denormals flush;
  const size blocks = (arguments.outputs + correlated_rows - 1) / correlated_rows;
  for (size index = 0; index < blocks; ++index) {
    const size row = arguments.outputs * index / blocks;
    const size end = arguments.outputs * (index + 1) / blocks;
    correlate_rows<correlated_rows>(static_cast<int>(end - row), arguments, row);
  }
}

}  // namespace weft::detail::WEFT_ISA
