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

// Large products: a stretch of the depth at a time. A panel of the packed right factor stays in the
// first-level cache while the blocks of the packed left one pass from the second.

constexpr size panel_width = 2 * lanes;

// Rows of the output that a power of two separates fall on the same lines of the first-level cache: with more
// of them the output would drive out the panel.
constexpr int large_block_rows = max_rows < 8 ? max_rows : 8;

// Two registers of so many rows: to = left * right, or to + left * right. The output's rows are far apart, so
// no hardware prefetcher has them at hand when the sums are ready; `next` is a part of the next panel.
template <int Rows>
__attribute__((noinline)) void large_block(const float* left, const float* right, size depth, bool add,
                                           float* to, size stride, const float* next, size step) {
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
    __builtin_prefetch(to + r * stride, 1);
    if (lanes == 16) __builtin_prefetch(to + r * stride + lanes, 1);  // a register is as long as a line
    __builtin_prefetch(to + r * stride + panel_width - 1, 1);
  }
  vec sum[Rows][2];
  for (int r = 0; r < Rows; ++r) sum[r][0] = sum[r][1] = vec{};
  const auto multiply = [&](size k) __attribute__((always_inline)) {
    const vec first = load(right + k * panel_width);
    const vec second = load(right + k * panel_width + lanes);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const vec a = broadcast(left[k * Rows + r]);
      sum[r][0] += a * first;
      sum[r][1] += a * second;
    }
  };
  size k = 0;
  for (; k + 4 <= depth; k += 4) {
#pragma GCC unroll 4
    for (int line = 0; line < (4 * Rows + 15) / 16; ++line)
      __builtin_prefetch(left + (k + 32) * Rows + line * 16);
    __builtin_prefetch(next + k * step, 0, 2);
    multiply(k);
    multiply(k + 1);
    multiply(k + 2);
    multiply(k + 3);
  }
  for (; k < depth; ++k) multiply(k);
  // All loads before all stores: in rows whose distance is a multiple of a page a load would wait for the
  // store before it.
  if (add) {
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      sum[r][0] += load(to + r * stride);
      sum[r][1] += load(to + r * stride + lanes);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
    store(to + r * stride, sum[r][0]);
    store(to + r * stride + lanes, sum[r][1]);
  }
}

template <int Rows>
__attribute__((always_inline)) inline void large_block_of(int rows, const float* left, const float* right,
                                                          size depth, bool add, float* to, size stride,
                                                          const float* next, size step) {
  if constexpr (Rows > 0) {
    if (rows == Rows) {
      large_block<Rows>(left, right, depth, add, to, stride, next, step);
    } else {
      large_block_of<Rows - 1>(rows, left, right, depth, add, to, stride, next, step);
    }
  }
}

// So many rows of the left factor, a stretch of the depth, as columns one after the other. Up to a register
// behind them is written as well.
void pack_left(const product_arguments& arguments, size row, size rows, const stretch& part, float* to) {
  const float* const from = arguments.left + row * arguments.left_row + part.begin * arguments.left_depth;
  if (arguments.left_depth == 1) {
    pack_transposed(from, arguments.left_row, part.depth, rows, rows, to);
    return;
  }
  for (size k = 0; k < part.depth; ++k) {
    const float* const column = from + k * arguments.left_depth;
    for (size r = 0; r < rows; r += lanes) {
      store(to + k * rows + r, rows - r >= lanes ? load(column + r) : load_some(column + r, rows - r));
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

void pack_right(const product_arguments& arguments, const stretch& part, size column_begin, size column_end,
                float* to) {
  const size stride = arguments.right.stride;
  if (arguments.right_transposed) {
    for (size column = column_begin; column < column_end; column += panel_width) {
      const size width = column_end - column < panel_width ? column_end - column : panel_width;
      pack_transposed(arguments.right.data + column * stride + part.begin, stride, part.depth, width,
                      panel_width, to);
      to += part.depth * panel_width;
    }
    return;
  }
  // Some rows of all panels at a time: what lies together in memory is read together.
  constexpr size together = 8;
  for (size k = 0; k < part.depth; k += together) {
    const size rows = part.depth - k < together ? part.depth - k : together;
    const float* const from = arguments.right.data + (part.begin + k) * stride;
    float* panel = to + k * panel_width;
    for (size column = column_begin; column < column_end; column += panel_width) {
      const size width = column_end - column < panel_width ? column_end - column : panel_width;
      for (size r = 0; r < rows; ++r)
        __builtin_prefetch(from + (r + together) * stride + column + panel_width - 1);
      pack(from + column, stride, rows, width, panel_width, panel);
      panel += part.depth * panel_width;
    }
  }
}

void large_product(const product_arguments& arguments, const stretch& part, const tile& area,
                   const float* right, float* scratch) {
  const flush_denormals flush;
  const size rows = area.row_end - area.row_begin;
  const size blocks = (rows + large_block_rows - 1) / large_block_rows;
  const size stride = arguments.output.stride;
  const bool add = part.begin > 0;
  const bool last = part.begin + part.depth == arguments.depth;
  const bool plain = !last || (arguments.bias == nullptr && arguments.after == activation::none);
  product_arguments finished = arguments;
  finished.accumulate = add;
  if (!last) {
    finished.bias = nullptr;
    finished.after = activation::none;
  }
  const auto height_of = [&](size index) {
    return static_cast<int>(rows / blocks + (index < rows % blocks ? 1 : 0));
  };
  size row = 0;
  for (size index = 0; index < blocks; ++index) {
    pack_left(arguments, area.row_begin + row, height_of(index), part, scratch + row * part.depth);
    row += height_of(index);
  }
  const size step = (panel_width + blocks - 1) / blocks;  // all blocks together fetch the next panel
  for (size column = area.column_begin; column < area.column_end; column += panel_width) {
    const bool full = column + panel_width <= area.column_end;
    const float* next = right + part.depth * panel_width;
    row = 0;
    for (size index = 0; index < blocks; ++index) {
      const int height = height_of(index);
      const float* const left = scratch + row * part.depth;
      float* const output = arguments.output.data + (area.row_begin + row) * stride + column;
      if (full && plain) {
        large_block_of<large_block_rows>(height, left, right, part.depth, add, output, stride, next, step);
      } else {
        float sums[large_block_rows * panel_width];
        large_block_of<large_block_rows>(height, left, right, part.depth, false, sums, panel_width, next,
                                         step);
        const finish_product<false> finish{finished, area.column_end};
        for (int r = 0; r < height; ++r) {
          finish(area.row_begin + row + r, column, load(sums + r * panel_width));
          finish(area.row_begin + row + r, column + lanes, load(sums + r * panel_width + lanes));
        }
      }
      next += part.depth * step;
      row += height;
    }
    right += part.depth * panel_width;
  }
}

}  // namespace weft::detail::WEFT_ISA
