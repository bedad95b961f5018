#include <compute/isa/blocks.hpp>
#include <compute/isa/math.hpp>
#include <compute/isa/product.hpp>

namespace weft::detail::WEFT_ISA {
namespace {

template <bool Full>
struct finish_product {
  const product_arguments& arguments;
  size columns;
  __attribute__((always_inline)) void operator()(size row, size column, vec sum) const {
    float* output = arguments.output.data + row * arguments.output.stride;
    vec value = sum;
    if (arguments.bias != nullptr) value += load_left_of<Full>(arguments.bias, column, columns);
    if (arguments.accumulate) value += load_left_of<Full>(output, column, columns);
    if (arguments.after == activation::relu) value = max(vec{}, value);
    if (arguments.after == activation::gelu) value = gelu(value);
    store_left_of<Full>(output, column, columns, value);
  }

 private:
  // Out of line: it would be there once for every accumulator.
  __attribute__((noinline)) static vec gelu(vec value) { return gaussian_error_unit(value); }
};

template <class Left>
void product_of(Left left, const product_arguments& arguments, const tile& area, float* scratch) {
  for_each_panel(area, [&](size column, size width) {
    const size padded = padded_width(width);
    const size stride = arguments.right.stride;
    panel right{arguments.right.data + column, stride};
    if (arguments.right_transposed) {
      pack_transposed(arguments.right.data + column * stride, stride, arguments.depth, width, padded,
                      scratch);
      right = {scratch, padded};
    } else if (width != padded || stride >= packing_stride) {
      pack(right.data, stride, arguments.depth, width, padded, scratch);
      right = {scratch, padded};
    }
    run_panel(left, right, arguments.depth, area, column, width, [&](auto full) {
      return finish_product<full.value>{arguments, column + width};
    });
  });
}

// Large products: a stretch of the depth at a time, of which the right factor is packed into the second-level
// cache and a block of rows of the left one into the first.

constexpr size panel_width = 2 * lanes;

// Where the packed left factor's element lies: rows one after the other, or columns.
template <bool Columns>
constexpr size packed_at(int row, size depth) {
  return Columns ? depth * max_rows + row : row * large_depth + depth;
}

// How many rows of the right factor's panel are fetched early.
constexpr size packed_rows_ahead = 8;

// Two registers of so many rows: to = from + left * right; from, whose rows lie close together, null: 0.
template <int Rows, bool Columns>
__attribute__((noinline)) void large_block(const float* left, const float* right, size depth,
                                           const float* from, float* to, size stride) {
  vec sum[Rows][2];
  for (int r = 0; r < Rows; ++r) {
    sum[r][0] = from == nullptr ? vec{} : load(from + r * panel_width);
    sum[r][1] = from == nullptr ? vec{} : load(from + r * panel_width + lanes);
  }
  for (size k = 0; k < depth; ++k) {
    __builtin_prefetch(right + (k + packed_rows_ahead) * panel_width);
    __builtin_prefetch(right + (k + packed_rows_ahead) * panel_width + lanes);
    const vec first = load(right + k * panel_width);
    const vec second = load(right + k * panel_width + lanes);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const vec a = broadcast(left[packed_at<Columns>(r, k)]);
      sum[r][0] += a * first;
      sum[r][1] += a * second;
    }
  }
  for (int r = 0; r < Rows; ++r) {
    store(to + r * stride, sum[r][0]);
    store(to + r * stride + lanes, sum[r][1]);
  }
}

template <int Rows, bool Columns>
__attribute__((always_inline)) inline void large_block_of(int rows, const float* left, const float* right,
                                                          size depth, const float* from, float* to,
                                                          size stride) {
  if constexpr (Rows > 0) {
    if (rows == Rows) {
      large_block<Rows, Columns>(left, right, depth, from, to, stride);
    } else {
      large_block_of<Rows - 1, Columns>(rows, left, right, depth, from, to, stride);
    }
  }
}

// Rows [row, row + rows) of the left factor, a stretch of the depth.
template <bool Columns>
void pack_left(const product_arguments& arguments, size row, int rows, size begin, size depth, float* to) {
  if constexpr (Columns) {
    for (size k = 0; k < depth; ++k) {
      const float* from = arguments.left + (begin + k) * arguments.left_depth + row;
      for (int r = 0; r < rows; ++r) to[packed_at<true>(r, k)] = from[r];
    }
  } else {
    for (int r = 0; r < rows; ++r) {
      const float* from = arguments.left + (row + r) * arguments.left_row + begin;
      size k = 0;
      for (; k + lanes <= depth; k += lanes) store(to + packed_at<false>(r, k), load(from + k));
      for (; k < depth; ++k) to[packed_at<false>(r, k)] = from[k];
    }
  }
}

// A stretch of the right factor, panel after panel.
void pack_right(const product_arguments& arguments, const tile& area, size begin, size depth, float* to) {
  const size stride = arguments.right.stride;
  for (size column = area.column_begin; column < area.column_end; column += panel_width) {
    const size left = area.column_end - column;
    const size width = left < panel_width ? left : panel_width;
    if (arguments.right_transposed) {
      pack_transposed(arguments.right.data + column * stride + begin, stride, depth, width, panel_width, to);
    } else {
      pack(arguments.right.data + begin * stride + column, stride, depth, width, panel_width, to);
    }
    to += depth * panel_width;
  }
}

template <bool Columns>
void large_product_of(const product_arguments& arguments, const tile& area, float* scratch) {
  const size rows = area.row_end - area.row_begin;
  const size blocks = (rows + max_rows - 1) / max_rows;
  const size stride = arguments.output.stride;
  float* const packed_left = scratch + large_depth * large_columns;
  float* const sums = packed_left + large_depth * max_rows;  // of the blocks, close together
  const bool plain = arguments.bias == nullptr && arguments.after == activation::none;
  for (size begin = 0; begin < arguments.depth; begin += large_depth) {
    const size left = arguments.depth - begin;
    const size depth = left < large_depth ? left : large_depth;
    const bool last = left <= large_depth;
    pack_right(arguments, area, begin, depth, scratch);
    size row = area.row_begin;
    float* block = sums;
    for (size index = 0; index < blocks; ++index) {
      const int height = static_cast<int>(rows / blocks + (index < rows % blocks ? 1 : 0));
      pack_left<Columns>(arguments, row, height, begin, depth, packed_left);
      const float* panel = scratch;
      for (size column = area.column_begin; column < area.column_end; column += panel_width) {
        const float* before = begin == 0 ? nullptr : block;
        if (last && plain && column + panel_width <= area.column_end) {
          float* output = arguments.output.data + row * stride + column;
          large_block_of<max_rows, Columns>(height, packed_left, panel, depth, before, output, stride);
        } else {
          large_block_of<max_rows, Columns>(height, packed_left, panel, depth, before, block, panel_width);
        }
        if (last && !(plain && column + panel_width <= area.column_end)) {
          const finish_product<false> finish{arguments, area.column_end};
          for (int r = 0; r < height; ++r) {
            finish(row + r, column, load(block + r * panel_width));
            finish(row + r, column + lanes, load(block + r * panel_width + lanes));
          }
        }
        panel += depth * panel_width;
        block += max_rows * panel_width;
      }
      row += height;
    }
  }
}

}  // namespace

void product(const product_arguments& arguments, const tile& area, float* scratch) {
  const flush_denormals flush;
  if (arguments.left_depth == 1) {
    product_of(row_major_left{arguments.left, arguments.left_row}, arguments, area, scratch);
  } else {
    product_of(transposed_left{arguments.left, arguments.left_depth}, arguments, area, scratch);
  }
}

void large_product(const product_arguments& arguments, const tile& area, float* scratch) {
  const flush_denormals flush;
  if (arguments.left_depth == 1) {
    large_product_of<false>(arguments, area, scratch);
  } else {
    large_product_of<true>(arguments, area, scratch);
  }
}

}  // namespace weft::detail::WEFT_ISA
