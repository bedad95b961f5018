#pragma once

#include <compute/kernel_table.hpp>
#include <compute/scratch.hpp>
#include <weft/compute/cpu_context.hpp>

#include <algorithm>  // for std::max, std::min
#include <cstdint>    // for std::int64_t

namespace weft::detail {

/// The kernels of one instruction set.
const kernel_table& kernels_of(isa level) noexcept;
/// Its products of 16-bit numbers.
const product16_table& product16_kernels_of(isa level) noexcept;

/// So many operations of a product, or elements of a sum, take a thread longer than it takes to wake one.
inline constexpr std::int64_t operations_of_a_thread = 10'000'000;
inline constexpr std::int64_t elements_of_a_thread = 524'288;

/// How many calls are worth a thread, if each is so much of what is `enough`.
constexpr std::int64_t worth_a_thread(std::int64_t enough, std::int64_t each) noexcept {
  return std::max<std::int64_t>(1, enough / std::max<std::int64_t>(1, each));
}

/// Which tile follows which. Threads take runs of tiles, so this decides what stays in a core's own cache.
enum class tile_order {
  down_columns,  ///< a thread has whole columns: it reads its part of the weights only
  along_rows     ///< a thread has whole rows: its part of the output is one piece of memory
};

/// How an output matrix is cut into tiles: columns of tile_columns, and rows into equal parts of about
/// operations_per_tile. It depends on shapes only.
class tile_grid {
 public:
  /// @param least_rows tiles of a deep product have at least so many rows, if there are, so that what a tile
  /// packs is used often enough
  tile_grid(std::int64_t rows, std::int64_t columns, std::int64_t depth, tile_order order,
            std::int64_t least_rows = 1) noexcept
      : rows_(rows), columns_(columns), order_(order) {
    if (rows == 0 || columns == 0) return;
    operations_ = 2 * rows * columns * std::max<std::int64_t>(depth, 1);
    const std::int64_t operations = 2 * rows * std::max<std::int64_t>(depth, 1) * tile_columns;
    down_ = std::clamp<std::int64_t>((operations + operations_per_tile / 2) / operations_per_tile, 1,
                                     std::max<std::int64_t>(1, rows / least_rows));
    across_ = (columns + tile_columns - 1) / tile_columns;
  }

  std::int64_t count() const noexcept { return down_ * across_; }

  /// So many tiles are worth a thread.
  std::int64_t least() const noexcept {
    return worth_a_thread(operations_of_a_thread, operations_ / std::max<std::int64_t>(1, count()));
  }

  tile at(std::int64_t index) const noexcept {
    const bool along = order_ == tile_order::along_rows;
    const std::int64_t row = along ? index / across_ : index % down_;
    const std::int64_t column = (along ? index % across_ : index / down_) * tile_columns;
    return {rows_ * row / down_, rows_ * (row + 1) / down_, column,
            std::min(column + tile_columns, columns_)};
  }

 private:
  static constexpr std::int64_t operations_per_tile = 3'500'000;

  std::int64_t rows_, columns_;
  tile_order order_;
  std::int64_t down_ = 0, across_ = 0, operations_ = 0;
};

/// Runs one tile kernel over an output of rows x columns, summing over depth.
template <class Arguments>
void run_tiles(const cpu_context& context, void (*kernel)(const Arguments&, const tile&, float*),
               const Arguments& arguments, std::int64_t rows, std::int64_t columns, std::int64_t depth,
               tile_order order) {
  const tile_grid grid(rows, columns, depth, order);
  context.parallel_for(
      grid.count(),
      [&](std::int64_t index) { kernel(arguments, grid.at(index), thread_scratch(depth * tile_columns)); },
      grid.least());
}

/// A part of elementwise work takes 2 us if its elements lie in a cache and 10 us if not; so many are worth a
/// thread.
inline constexpr std::int64_t least_parts = 8;

/// Runs f(begin, end) over [0, count) in parts of `part`, `least` of which are worth a thread.
template <class F>
void run_parts(const cpu_context& context, std::int64_t count, std::int64_t part, const F& f,
               std::int64_t least = least_parts) {
  context.parallel_for((count + part - 1) / part,
                       [&](std::int64_t index) { f(index * part, std::min(count, (index + 1) * part)); },
                       least);
}

}  // namespace weft::detail
