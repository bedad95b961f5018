#pragma once

#include <compute/isa/vector.hpp>
#include <compute/kernel_table.hpp>

// Products of small and medium matrices, one output tile at a time. The inner kernel keeps a block of the
// output in registers, broadcasts the left factor and streams the right one (Goto and van de Geijn, "Anatomy
// of high-performance matrix multiplication", 2008). Every output element is summed over the depth in order,
// in one accumulator, so its bits do not depend on how the output was cut into tiles.

namespace weft::detail::WEFT_ISA {

// The right factor's columns of one block: `depth` rows of Vectors * lanes floats, `stride` apart.
struct panel {
  const float* data;
  size stride;
};

// Where the left factor's element (row, depth) lies: at row * row_stride + depth * depth_stride.
struct row_major_left {  // rows of the output are rows in memory
  const float* data;
  size stride;
  __attribute__((always_inline)) float at(size row, size depth) const { return data[row * stride + depth]; }
  __attribute__((always_inline)) void prefetch_next(size, size) const {}
  __attribute__((always_inline)) row_major_left down(size rows) const {
    return {data + rows * stride, stride};
  }
};
struct transposed_left {  // rows of the output are columns in memory
  const float* data;
  size stride;
  __attribute__((always_inline)) float at(size row, size depth) const { return data[depth * stride + row]; }
  // The next block's part of this row is on another page than the next row: no hardware prefetcher finds it.
  __attribute__((always_inline)) void prefetch_next(size rows, size depth) const {
    __builtin_prefetch(data + depth * stride + 2 * rows - 1);
  }
  __attribute__((always_inline)) transposed_left down(size rows) const { return {data + rows, stride}; }
};

// How many rows early the right factor is fetched: in a wide matrix each is on another page.
inline constexpr size rows_ahead = 24;

template <int Rows, int Vectors, class Left, class Finish>
__attribute__((noinline)) void block(Left left, panel right, size depth, size row, size column,
                                     const Finish& finish) {
  vec sum[Rows][Vectors];
  for (int r = 0; r < Rows; ++r) {
    for (int v = 0; v < Vectors; ++v) sum[r][v] = vec{};
  }
  for (size k = 0; k < depth; ++k) {
    left.prefetch_next(Rows, k);
    vec b[Vectors];
    for (int v = 0; v < Vectors; ++v)
      __builtin_prefetch(right.data + (k + rows_ahead) * right.stride + v * lanes);
    for (int v = 0; v < Vectors; ++v) b[v] = load(right.data + k * right.stride + v * lanes);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const vec a = broadcast(left.at(r, k));
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) sum[r][v] += a * b[v];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) finish(row + r, column + v * lanes, sum[r][v]);
  }
}

template <int Rows, int Vectors, class Left, class Finish>
__attribute__((always_inline)) inline void block_of(int rows, Left left, panel right, size depth, size row,
                                                    size column, const Finish& finish) {
  if constexpr (Rows > 0) {
    if (rows == Rows) {
      block<Rows, Vectors>(left, right, depth, row, column, finish);
    } else {
      block_of<Rows - 1, Vectors>(rows, left, right, depth, row, column, finish);
    }
  }
}

// One panel of the output, cut into blocks of nearly equal height.
template <int Vectors, class Left, class Finish>
void blocks(Left left, panel right, size depth, size row_begin, size row_end, size column,
            const Finish& finish) {
  const size rows = row_end - row_begin;
  const size count = (rows + max_rows - 1) / max_rows;
  size row = row_begin;
  for (size index = 0; index < count; ++index) {
    const size height = rows / count + (index < rows % count ? 1 : 0);
    block_of<max_rows, Vectors>(static_cast<int>(height), left.down(row), right, depth, row, column, finish);
    row += height;
  }
}

// Above this many bytes between rows, rows of a panel fall on few sets of the first-level cache and are
// packed.
inline constexpr size packing_stride = 4096 / sizeof(float);

// Copies columns [0, width) of a matrix into rows of Vectors * lanes floats, with zeros to the right.
inline void pack(const float* from, size stride, size depth, size width, size padded, float* to) {
  for (size k = 0; k < depth; ++k) {
    for (size column = 0; column < padded; column += lanes) {
      const size left = width - column;
      const vec value = left >= lanes ? load(from + k * stride + column)
                        : left > 0    ? load_some(from + k * stride + column, left)
                                      : vec{};
      store(to + k * padded + column, value);
    }
  }
}

// The same from a matrix whose rows are the panel's columns.
inline void pack_transposed(const float* from, size stride, size depth, size width, size padded, float* to) {
  size column = 0;
  while (width >= 4 && column < width) {
    if (column + 4 > width) column = width - 4;  // some of them once more
    const float* source = from + column * stride;
    size k = 0;
    for (; k + 4 <= depth; k += 4) {
      if (k % 16 == 0) {
        for (size next = 4; next < 8; ++next) __builtin_prefetch(source + next * stride + k + 15);
      }
      __m128 row0 = _mm_loadu_ps(source + k);
      __m128 row1 = _mm_loadu_ps(source + stride + k);
      __m128 row2 = _mm_loadu_ps(source + 2 * stride + k);
      __m128 row3 = _mm_loadu_ps(source + 3 * stride + k);
      _MM_TRANSPOSE4_PS(row0, row1, row2, row3);
      _mm_storeu_ps(to + k * padded + column, row0);
      _mm_storeu_ps(to + (k + 1) * padded + column, row1);
      _mm_storeu_ps(to + (k + 2) * padded + column, row2);
      _mm_storeu_ps(to + (k + 3) * padded + column, row3);
    }
    for (; k < depth; ++k) {
      for (size next = 0; next < 4; ++next) to[k * padded + column + next] = source[next * stride + k];
    }
    column += 4;
  }
  for (; column < width; ++column) {
    for (size k = 0; k < depth; ++k) to[k * padded + column] = from[column * stride + k];
  }
  for (size k = 0; k < depth; ++k) {
    for (size empty = width; empty < padded; ++empty) to[k * padded + empty] = 0.0F;
  }
}

template <bool Value>
struct truth {
  static constexpr bool value = Value;
};

// Calls `one` for the tile's panels, each at most two registers wide.
template <class One>
__attribute__((always_inline)) inline void for_each_panel(const tile& area, const One& one) {
  constexpr size widest = 2 * lanes;
  for (size column = area.column_begin; column < area.column_end; column += widest) {
    const size width = area.column_end - column < widest ? area.column_end - column : widest;
    one(column, width);
  }
}

constexpr size padded_width(size width) {
  return width > lanes ? 2 * lanes : lanes;
}

// `finish` gives what becomes of the sums, for panels that are full or not.
template <class Left, class Finish>
__attribute__((always_inline)) inline void run_panel(Left left, panel right, size depth, const tile& area,
                                                     size column, size width, const Finish& finish) {
  if (width == 2 * lanes) {
    blocks<2>(left, right, depth, area.row_begin, area.row_end, column, finish(truth<true>{}));
  } else if (width > lanes) {
    blocks<2>(left, right, depth, area.row_begin, area.row_end, column, finish(truth<false>{}));
  } else {
    blocks<1>(left, right, depth, area.row_begin, area.row_end, column, finish(truth<false>{}));
  }
}

// Loads or stores a register at a column, or only its part left of the last column where the panel is not
// Full.
template <bool Full>
__attribute__((always_inline)) inline vec load_left_of(const float* from, size column, size columns) {
  if (Full || column + lanes <= columns) return load(from + column);
  return column < columns ? load_some(from + column, columns - column) : vec{};
}
template <bool Full>
__attribute__((always_inline)) inline void store_left_of(float* to, size column, size columns, vec value) {
  if (Full || column + lanes <= columns) {
    store(to + column, value);
  } else if (column < columns) {
    store_some(to + column, value, columns - column);
  }
}

}  // namespace weft::detail::WEFT_ISA
