#include <compute/isa/math.hpp>
#include <compute/isa/pack.hpp>
#include <compute/isa/thin_product.hpp>

// Products of few rows by a matrix, for which there is nothing to do but to read the matrix as it lies in
// memory: some rows of it at a time, added to sums in the first-level cache, or, if it is transposed, some of
// its rows by dot products.

namespace weft::detail::WEFT_ISA {
namespace {

// Adds Steps rows of the right factor to the sums, which begin with them if they are the first.
template <int Rows, int Steps>
__attribute__((noinline)) void add_steps(const product_arguments& product, size k, size column, size width,
                                         float* sums) {
  float left[Rows][Steps];
  const float* right[Steps];
  for (int step = 0; step < Steps; ++step) {
    right[step] = product.right.data + (k + step) * product.right.stride + column;
    for (int r = 0; r < Rows; ++r)
      left[r][step] = product.left[r * product.left_row + (k + step) * product.left_depth];
  }
  const bool more = k + 2 * Steps <= product.depth;
  const size ahead = Steps * product.right.stride;
  for (size at = 0; at < width; at += lanes) {
    vec value[Steps];
    for (int step = 0; step < Steps; ++step) {
      value[step] = at + lanes <= width ? load(right[step] + at) : load_some(right[step] + at, width - at);
      if (more) __builtin_prefetch(right[step] + ahead + at);
    }
    for (int r = 0; r < Rows; ++r) {
      float* const place = sums + r * thin_columns + at;
      vec sum = k == 0 ? vec{} : load(place);
      for (int step = 0; step < Steps; ++step) sum += broadcast(left[r][step]) * value[step];
      store(place, sum);
    }
  }
}

// The sums of some columns of a right factor whose rows are in memory one after the other, in the order of
// the depth.
template <int Rows>
void sum_along_rows(const product_arguments& product, size column, size width, float* sums) {
  constexpr int steps = 4;
  size k = 0;
  for (; k + steps <= product.depth; k += steps) add_steps<Rows, steps>(product, k, column, width, sums);
  for (; k < product.depth; ++k) add_steps<Rows, 1>(product, k, column, width, sums);
}

// The same where its columns are: `left` is [Rows, depth].
template <int Rows>
void sum_along_columns(const product_arguments& product, const float* left, size column, size width,
                       float* sums) {
  constexpr int sums_together = lanes == 16 ? 24 : 12;  // registers
  constexpr int together = sums_together / Rows < 1 ? 1 : sums_together / Rows < 4 ? sums_together / Rows : 4;
  constexpr int registers = (Rows * together + lanes - 1) / lanes * lanes;
  const size depth = product.depth;
  for (size at = 0; at < width; at += together) {
    const float* right[together];
    for (int c = 0; c < together; ++c) {
      const size own = at + c < width ? at + c : width - 1;  // some of them once more
      right[c] = product.right.data + (column + own) * product.right.stride;
    }
    vec sum[registers] = {};
    const auto add = [&](size k, auto whole) __attribute__((always_inline)) {
      vec value[together];
      for (int c = 0; c < together; ++c)
        value[c] = whole.value != 0 ? load(right[c] + k) : load_some(right[c] + k, depth - k);
      for (int r = 0; r < Rows; ++r) {
        const float* own = left + r * depth + k;
        const vec factor = whole.value != 0 ? load(own) : load_some(own, depth - k);
        for (int c = 0; c < together; ++c) sum[r * together + c] += factor * value[c];
      }
    };
    size k = 0;
    for (; k + lanes <= depth; k += lanes) add(k, constant<1>());
    if (k < depth) add(k, constant<0>());
    float folded[registers];
    const auto plus = [](vec a, vec b) __attribute__((always_inline)) {
      return a + b;
    };
    for (int first = 0; first < registers; first += lanes)
      store(folded + first, fold_together<float>(sum + first, plus));
    for (int r = 0; r < Rows; ++r) {
      for (int c = 0; c < together && at + c < width; ++c)
        sums[r * thin_columns + at + c] = folded[r * together + c];
    }
  }
}

// Out of line: it would be there once for every number of rows.
__attribute__((noinline)) vec gelu(vec value) {
  return gaussian_error_unit(value);
}

void finish(const thin_product_arguments& arguments, size column, size width, const float* sums) {
  const product_arguments& product = arguments.product;
  for (size row = 0; row < arguments.rows; ++row) {
    float* const output = product.output.data + row * product.output.stride + column;
    for (size at = 0; at < width; at += lanes) {
      const bool whole = at + lanes <= width;
      vec value = product.depth == 0 ? vec{} : load(sums + row * thin_columns + at);
      if (arguments.one_bias && product.bias != nullptr) {
        value += product.bias[0];
      } else if (product.bias != nullptr) {
        const float* bias = product.bias + column + at;
        value += whole ? load(bias) : load_some(bias, width - at);
      }
      if (product.after == activation::relu) value = max(vec{}, value);
      if (product.after == activation::gelu) value = gelu(value);
      if (whole) {
        store(output + at, value);
      } else {
        store_some(output + at, value, width - at);
      }
    }
  }
}

template <int Rows>
void product_of(const thin_product_arguments& arguments, size begin, size end, float* scratch) {
  if constexpr (Rows > 0) {
    if (arguments.rows < Rows) return product_of<Rows - 1>(arguments, begin, end, scratch);
    const product_arguments& product = arguments.product;
    const float* left = product.left;
    float* const sums = scratch;
    if (product.right_transposed && (product.left_depth != 1 || product.left_row != product.depth)) {
      float* const copy = scratch + Rows * thin_columns;
      for (size row = 0; row < Rows; ++row) {
        for (size k = 0; k < product.depth; ++k)
          copy[row * product.depth + k] = product.left[row * product.left_row + k * product.left_depth];
      }
      left = copy;
    }
    for (size column = begin; column < end; column += thin_columns) {
      const size width = end - column < thin_columns ? end - column : thin_columns;
      if (product.right_transposed) {
        sum_along_columns<Rows>(product, left, column, width, sums);
      } else {
        sum_along_rows<Rows>(product, column, width, sums);
      }
      finish(arguments, column, width, sums);
    }
  }
}

}  // namespace

void thin_product(const thin_product_arguments& arguments, size column_begin, size column_end,
                  float* scratch) {
  const flush_denormals flush;
  product_of<most_thin_rows>(arguments, column_begin, column_end, scratch);
}

}  // namespace weft::detail::WEFT_ISA
