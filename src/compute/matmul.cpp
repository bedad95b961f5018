#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <compute/thin_product.hpp>
#include <weft/compute/kernels/matmul.hpp>

#include <algorithm>    // for std::clamp, std::max, std::min
#include <cstdint>      // for std::int64_t, std::uint16_t
#include <string>       // for std::string
#include <type_traits>  // for std::is_same_v

namespace weft {
namespace {

constexpr std::int64_t least_rows_of_a_tile = 192;

// Products of at least so many multiplications, and so much in every direction, are made of stretches for
// which both factors are packed: by then their rows are on more pages than a processor knows the addresses
// of.
constexpr std::int64_t least_multiplications = std::int64_t{464} * 464 * 464;
constexpr std::int64_t least_extent = 64;

// A factor as it lies in memory: rows `stride` apart, or columns if transposed.
template <class T>
struct factor {
  const T* data;
  std::int64_t stride;
  bool transposed;
};

template <class T>
factor<T> factor_of(const char* name, const strided_view<const T, 2>& matrix) {
  const auto [rows, columns] = matrix.extents();
  const auto [down, along] = matrix.strides();
  if (along == 1 || columns <= 1) return {matrix.data(), down, false};
  if (down == 1 || rows <= 1) return {matrix.data(), along, true};
  throw shape_error(std::string("matmul: ") + name + " of shape " + to_string(matrix.extents()) +
                    " has strides " + to_string(matrix.strides()) +
                    ": one of them must be 1; copy it into a tensor");
}

template <class T>
void require_fit(const strided_view<const T, 2>& left, const strided_view<const T, 2>& right,
                 const tensor_view<T, 2>& output) {
  if (left.extent(1) != right.extent(0)) {
    throw shape_error("matmul: left has shape " + to_string(left.extents()) + " but right has shape " +
                      to_string(right.extents()) + ": left's columns must be right's rows");
  }
  require_same_shape("matmul", "output", output.extents(), "left * right",
                     shape<2>{left.extent(0), right.extent(1)});
}

detail::product_arguments arguments_of(const strided_view<const float, 2>& left,
                                       const strided_view<const float, 2>& right, const float* bias,
                                       const tensor_view<float, 2>& output, activation after) {
  require_fit(left, right, output);
  const factor<float> first = factor_of("left", left);
  const factor<float> second = factor_of("right", right);
  return {.left = first.data,
          .left_row = first.transposed ? 1 : first.stride,
          .left_depth = first.transposed ? first.stride : 1,
          .right = {second.data, second.stride},
          .right_transposed = second.transposed,
          .bias = bias,
          .output = {output.data(), output.extent(1)},
          .depth = left.extent(1),
          .after = after,
          .accumulate = false};
}

// The right factor is packed a slab at a time, by all threads for all threads: at most so many columns, and
// as many stretches of the depth as fit into a few MiB.
constexpr std::int64_t slab_columns = 4096;
constexpr std::int64_t slab_floats = std::int64_t{1} << 20;
constexpr std::int64_t packed_together = 256;  // columns of a task
constexpr std::int64_t block_rows = 8;
constexpr std::int64_t usual_depth = 256;  // of a stretch, where there must be several

// How long each of as few as possible parts of [0, length) is, none longer than `most`; a multiple of `unit`.
std::int64_t part_of(std::int64_t length, std::int64_t most, std::int64_t unit) {
  const std::int64_t parts = std::max<std::int64_t>(1, (length + most - 1) / most);
  return (length + parts * unit - 1) / (parts * unit) * unit;
}

void run_slab(const cpu_context& context, const detail::product_arguments& arguments, std::int64_t rows,
              const detail::tile& columns, const detail::stretch& slab_depth, std::int64_t deep) {
  const detail::kernel_table& kernels = detail::kernels_of(context.level());
  const std::int64_t width = columns.column_end - columns.column_begin;
  const std::int64_t padded = part_of(width, width, detail::tile_columns);
  float* const slab = detail::shared_scratch(padded * slab_depth.depth);
  const auto part_at = [&](std::int64_t at) {
    return detail::stretch{slab_depth.begin + at, std::min(deep, slab_depth.depth - at)};
  };
  const std::int64_t across = (width + packed_together - 1) / packed_together;
  const std::int64_t stretches = (slab_depth.depth + deep - 1) / deep;
  context.parallel_for(across * stretches, [&](std::int64_t index) {
    const std::int64_t at = index / across * deep;
    const std::int64_t column = index % across * packed_together;
    const detail::stretch part = part_at(at);
    kernels.pack_right(arguments, part, columns.column_begin + column,
                       columns.column_begin + std::min(width, column + packed_together),
                       slab + at * padded + column * part.depth);
  });
  // A multiple of four tasks, so that few threads share them evenly, of whole blocks.
  const std::int64_t tasks = (rows + 4 * detail::large_rows - 1) / (4 * detail::large_rows) * 4;
  const std::int64_t blocks = (rows + block_rows - 1) / block_rows;
  context.parallel_for(tasks, [&](std::int64_t index) {
    detail::tile area = columns;
    area.row_begin = blocks * index / tasks * block_rows;
    area.row_end = std::min(rows, blocks * (index + 1) / tasks * block_rows);
    float* const scratch =
        detail::thread_scratch(detail::large_rows * detail::large_depth + detail::most_lanes);
    for (std::int64_t at = 0; at < slab_depth.depth; at += deep) {
      kernels.large_product(arguments, part_at(at), area, slab + at * padded, scratch);
    }
  });
}

void run_large_product(const cpu_context& context, const detail::product_arguments& arguments,
                       std::int64_t rows, std::int64_t columns) {
  const std::int64_t depth = arguments.depth;
  const std::int64_t wide = part_of(columns, slab_columns, detail::tile_columns);
  const std::int64_t deep = depth <= detail::large_depth ? depth : part_of(depth, usual_depth, 8);
  const std::int64_t slab = deep * std::max<std::int64_t>(1, slab_floats / (wide * deep));
  for (std::int64_t column = 0; column < columns; column += wide) {
    const detail::tile area{0, rows, column, std::min(columns, column + wide)};
    for (std::int64_t begin = 0; begin < depth; begin += slab) {
      run_slab(context, arguments, rows, area, {begin, std::min(slab, depth - begin)}, deep);
    }
  }
}

void run_product(const cpu_context& context, const detail::product_arguments& arguments, std::int64_t rows,
                 std::int64_t columns) {
  if (detail::run_thin_product(context, arguments, rows, columns)) return;
  if (std::min({rows, columns, arguments.depth}) >= least_extent &&
      rows * columns * arguments.depth >= least_multiplications) {
    run_large_product(context, arguments, rows, columns);
    return;
  }
  const auto kernel = detail::kernels_of(context.level()).product;
  const detail::tile_grid grid(rows, columns, arguments.depth, detail::tile_order::down_columns,
                               least_rows_of_a_tile);
  context.parallel_for(
      grid.count(),
      [&](std::int64_t index) {
        kernel(arguments, grid.at(index), detail::thread_scratch(arguments.depth * detail::tile_columns));
      },
      grid.least());
}

template <class T, int Rank>
void require_bias(const tensor_view<const T, 1>& bias, const tensor_view<T, Rank>& output) {
  require_same_shape("matmul", "bias", bias.extents(), "one row of the output",
                     shape<1>{output.extent(Rank - 1)});
}

template <class T>
std::int64_t batch_of(const strided_view<const T, 3>& left, const strided_view<const T, 3>& right,
                      const tensor_view<T, 3>& output) {
  if (left.extent(0) != right.extent(0) || left.extent(0) != output.extent(0)) {
    throw shape_error("matmul: left has shape " + to_string(left.extents()) + ", right " +
                      to_string(right.extents()) + " and output " + to_string(output.extents()) +
                      ": their batches (outer axes) differ");
  }
  return left.extent(0);
}

template <class T>
detail::product_type product_type_of(float_precision precision) {
  if constexpr (std::is_same_v<T, bfloat16>) return detail::product_type::bfloat16;
  if constexpr (std::is_same_v<T, half>) return detail::product_type::half;
  return precision == float_precision::tf32 ? detail::product_type::tf32 : detail::product_type::float32;
}

// The batch's steps are 0 for a single product.
template <class T>
void run_on_gpu(const cuda_context& context, const matmul& kernel, const strided_view<const T, 2>& left,
                const strided_view<const T, 2>& right, const T* bias, const tensor_view<T, 2>& output,
                std::int64_t batch = 1, std::int64_t left_step = 0, std::int64_t right_step = 0) {
  require_fit(left, right, output);
  const factor<T> first = factor_of("left", left);
  const factor<T> second = factor_of("right", right);
  if (output.empty()) return;
  context.kernels().product(context,
                            {.type = product_type_of<T>(kernel.precision),
                             .left = first.data,
                             .left_row = first.transposed ? 1 : first.stride,
                             .left_depth = first.transposed ? first.stride : 1,
                             .left_step = left_step,
                             .right = second.data,
                             .right_stride = second.stride,
                             .right_step = right_step,
                             .right_transposed = second.transposed,
                             .bias = bias,
                             .output = output.data(),
                             .rows = output.extent(0),
                             .columns = output.extent(1),
                             .depth = left.extent(1),
                             .batch = batch,
                             .after = kernel.after,
                             .accumulate = false},
                            context.scratch(detail::product_workspace));
}

void run_batch(const cpu_context& context, activation after, const strided_view<const float, 3>& left,
               const strided_view<const float, 3>& right, const float* bias,
               const tensor_view<float, 3>& output) {
  const std::int64_t batch = batch_of(left, right, output);
  if (batch == 0) return;
  const detail::product_arguments arguments = arguments_of(left[0], right[0], bias, output[0], after);
  const std::int64_t rows = output.extent(1);
  const std::int64_t columns = output.extent(2);
  const detail::tile_grid grid(rows, columns, arguments.depth, detail::tile_order::down_columns,
                               least_rows_of_a_tile);
  const auto kernel = detail::kernels_of(context.level()).product;
  // Matrices whose tiles together are worth a task share one.
  const std::int64_t operations = 2 * std::max<std::int64_t>(1, rows * columns * arguments.depth);
  const std::int64_t together = std::max<std::int64_t>(1, 4'000'000 / operations);
  detail::run_parts(
      context, batch, together,
      [&](std::int64_t begin, std::int64_t end) {
        float* scratch = detail::thread_scratch(arguments.depth * detail::tile_columns);
        detail::product_arguments one = arguments;
        for (std::int64_t index = begin; index < end; ++index) {
          one.left = arguments.left + index * left.stride(0);
          one.right.data = arguments.right.data + index * right.stride(0);
          one.output.data = arguments.output.data + index * rows * columns;
          for (std::int64_t tile = 0; tile < grid.count(); ++tile) kernel(one, grid.at(tile), scratch);
        }
      },
      detail::worth_a_thread(detail::operations_of_a_thread, together * operations));
}

template <class T>
void run_batch(const cuda_context& context, const matmul& kernel, const strided_view<const T, 3>& left,
               const strided_view<const T, 3>& right, const T* bias, const tensor_view<T, 3>& output) {
  const std::int64_t batch = batch_of(left, right, output);
  if (batch == 0) return;
  run_on_gpu<T>(context, kernel, left[0], right[0], bias, output[0], batch, left.stride(0), right.stride(0));
}

// Products of 16-bit numbers: of the right factor so many columns are packed at a time, with all of their
// depth if that fits into a few MiB.
constexpr std::int64_t widest_slab16 = 1024;
constexpr std::int64_t slab16_floats = std::int64_t{1} << 20;
constexpr std::int64_t packed16_together = 512;  // depth of a task
constexpr std::int64_t rows16_together = 256;    // of the output, where the depth is more than one slab's
// Below so many multiplications one thread is faster than two.
constexpr std::int64_t least_multiplications16 = std::int64_t{160} * 160 * 160;

constexpr detail::number16 number16_of(bfloat16) {
  return detail::number16::bfloat16;
}
constexpr detail::number16 number16_of(half) {
  return detail::number16::half;
}

template <class T>
const std::uint16_t* words_of(const T* data) {
  static_assert(sizeof(T) == sizeof(std::uint16_t));
  return reinterpret_cast<const std::uint16_t*>(data);
}

template <class T>
detail::product16_arguments arguments_of(const strided_view<const T, 2>& left,
                                         const strided_view<const T, 2>& right, const T* bias,
                                         const tensor_view<T, 2>& output, activation after) {
  require_fit(left, right, output);
  const factor<T> first = factor_of("left", left);
  const factor<T> second = factor_of("right", right);
  return {.type = number16_of(T()),
          .left = words_of(first.data),
          .left_row = first.transposed ? 1 : first.stride,
          .left_depth = first.transposed ? first.stride : 1,
          .right = {words_of(second.data), second.stride},
          .right_transposed = second.transposed,
          .bias = words_of(bias),
          .output = {reinterpret_cast<std::uint16_t*>(output.data()), output.extent(1)},
          .depth = left.extent(1),
          .after = after};
}

// One slab of the right factor, for some rows of the output. `sums` is for all of these rows, or null where
// the slab has all of the depth.
void run_slab16(const cpu_context& context, const detail::product16_arguments& arguments,
                const detail::tile& area, const detail::stretch& slab, float* packed, float* sums) {
  const detail::product16_table& kernels = detail::product16_kernels_of(context.level());
  const std::int64_t width = area.column_end - area.column_begin;
  const std::int64_t across = (width + packed_together - 1) / packed_together;
  const std::int64_t down =
      std::max<std::int64_t>(1, (slab.depth + packed16_together - 1) / packed16_together);
  const std::int64_t column_floats = kernels.packed_depth(arguments.type, slab.depth);
  context.parallel_for(across * down, [&](std::int64_t index) {
    const std::int64_t at = index / across * packed16_together;
    const std::int64_t column = index % across * packed_together;
    kernels.pack_right(arguments, slab, {slab.begin + at, std::min(packed16_together, slab.depth - at)},
                       area.column_begin + column,
                       area.column_begin + std::min(width, column + packed_together),
                       packed + column * column_floats);
  });
  const std::int64_t rows = area.row_end - area.row_begin;
  const std::int64_t stride = part_of(width, width, detail::tile_columns) + detail::most_lanes;
  const std::int64_t tasks = (rows + 4 * detail::large_rows - 1) / (4 * detail::large_rows) * 4;
  const std::int64_t blocks = (rows + block_rows - 1) / block_rows;
  context.parallel_for(tasks, [&](std::int64_t index) {
    detail::tile part = area;
    part.row_begin = area.row_begin + blocks * index / tasks * block_rows;
    part.row_end = std::min(area.row_end, area.row_begin + blocks * (index + 1) / tasks * block_rows);
    const std::int64_t left_floats = detail::large_rows * detail::product16_steps + detail::most_lanes;
    float* const scratch =
        detail::thread_scratch(left_floats + (sums == nullptr ? detail::large_rows * stride : 0));
    float* const own =
        sums == nullptr ? scratch + left_floats : sums + (part.row_begin - area.row_begin) * stride;
    kernels.product(arguments, slab, part, packed, own, stride, scratch);
  });
}

void run_product16(const cpu_context& context, const detail::product16_arguments& arguments,
                   std::int64_t rows, std::int64_t columns) {
  if (rows == 0 || columns == 0) return;
  if (context.threads() > 1 && rows * columns * arguments.depth < least_multiplications16) {
    return run_product16(cpu_context(context.level()), arguments, rows, columns);
  }
  const detail::product16_table& kernels = detail::product16_kernels_of(context.level());
  const std::int64_t depth = arguments.depth;
  const std::int64_t deep = std::min(depth, slab16_floats / detail::tile_columns);
  const std::int64_t floats = std::max<std::int64_t>(1, kernels.packed_depth(arguments.type, deep));
  const std::int64_t wide = part_of(
      columns, std::clamp(slab16_floats / floats, detail::tile_columns, widest_slab16), detail::tile_columns);
  const std::int64_t tall = deep == depth ? rows : std::min(rows, rows16_together);
  const std::int64_t padded = wide + detail::most_lanes;
  float* const packed = detail::shared_scratch(wide * floats + (deep == depth ? 0 : tall * padded));
  float* const sums = deep == depth ? nullptr : packed + wide * floats;
  for (std::int64_t column = 0; column < columns; column += wide) {
    for (std::int64_t row = 0; row < rows; row += tall) {
      const detail::tile area{row, std::min(rows, row + tall), column, std::min(columns, column + wide)};
      std::int64_t begin = 0;
      do {
        run_slab16(context, arguments, area, {begin, std::min(deep, depth - begin)}, packed, sums);
        begin += deep;
      } while (begin < depth);
    }
  }
}

template <class T>
void run16(const cpu_context& context, activation after, const strided_view<const T, 2>& left,
           const strided_view<const T, 2>& right, const T* bias, const tensor_view<T, 2>& output) {
  run_product16(context, arguments_of(left, right, bias, output, after), output.extent(0), output.extent(1));
}

template <class T>
void run16(const cpu_context& context, activation after, const strided_view<const T, 3>& left,
           const strided_view<const T, 3>& right, const T* bias, const tensor_view<T, 3>& output) {
  const std::int64_t batch = batch_of(left, right, output);
  if (batch == 0) return;
  const detail::product16_arguments arguments = arguments_of(left[0], right[0], bias, output[0], after);
  const std::int64_t rows = output.extent(1);
  const std::int64_t columns = output.extent(2);
  const auto one_of = [&](std::int64_t index) {
    detail::product16_arguments one = arguments;
    one.left = arguments.left + index * left.stride(0);
    one.right.data = arguments.right.data + index * right.stride(0);
    one.output.data = arguments.output.data + index * rows * columns;
    return one;
  };
  const std::int64_t multiplications = std::max<std::int64_t>(1, rows * columns * arguments.depth);
  if (multiplications >= least_multiplications16) {
    for (std::int64_t index = 0; index < batch; ++index) {
      run_product16(context, one_of(index), rows, columns);
    }
    return;
  }
  // Matrices that together are worth a task share one.
  detail::run_parts(context, batch, std::max<std::int64_t>(1, least_multiplications16 / 2 / multiplications),
                    [&](std::int64_t begin, std::int64_t end) {
                      const cpu_context serial(context.level());
                      for (std::int64_t index = begin; index < end; ++index) {
                        run_product16(serial, one_of(index), rows, columns);
                      }
                    });
}

}  // namespace

void matmul::operator()(const cpu_context& context, strided_view<const float, 2> left,
                        strided_view<const float, 2> right, tensor_view<float, 2> output) const {
  run_product(context, arguments_of(left, right, nullptr, output, after), output.extent(0), output.extent(1));
}

void matmul::operator()(const cpu_context& context, strided_view<const float, 2> left,
                        strided_view<const float, 2> right, tensor_view<const float, 1> bias,
                        tensor_view<float, 2> output) const {
  require_bias(bias, output);
  run_product(context, arguments_of(left, right, bias.data(), output, after), output.extent(0),
              output.extent(1));
}

void matmul::operator()(const cpu_context& context, strided_view<const float, 3> left,
                        strided_view<const float, 3> right, tensor_view<float, 3> output) const {
  run_batch(context, after, left, right, nullptr, output);
}

void matmul::operator()(const cpu_context& context, strided_view<const float, 3> left,
                        strided_view<const float, 3> right, tensor_view<const float, 1> bias,
                        tensor_view<float, 3> output) const {
  require_bias(bias, output);
  run_batch(context, after, left, right, bias.data(), output);
}

void matmul::operator()(const cuda_context& context, strided_view<const float, 2> left,
                        strided_view<const float, 2> right, tensor_view<float, 2> output) const {
  run_on_gpu<float>(context, *this, left, right, nullptr, output);
}

void matmul::operator()(const cuda_context& context, strided_view<const float, 2> left,
                        strided_view<const float, 2> right, tensor_view<const float, 1> bias,
                        tensor_view<float, 2> output) const {
  require_bias(bias, output);
  run_on_gpu<float>(context, *this, left, right, bias.data(), output);
}

void matmul::operator()(const cuda_context& context, strided_view<const float, 3> left,
                        strided_view<const float, 3> right, tensor_view<float, 3> output) const {
  run_batch<float>(context, *this, left, right, nullptr, output);
}

void matmul::operator()(const cuda_context& context, strided_view<const float, 3> left,
                        strided_view<const float, 3> right, tensor_view<const float, 1> bias,
                        tensor_view<float, 3> output) const {
  require_bias(bias, output);
  run_batch(context, *this, left, right, bias.data(), output);
}

void matmul::operator()(const cpu_context& context, strided_view<const bfloat16, 2> left,
                        strided_view<const bfloat16, 2> right, tensor_view<bfloat16, 2> output) const {
  run16<bfloat16>(context, after, left, right, nullptr, output);
}

void matmul::operator()(const cpu_context& context, strided_view<const bfloat16, 2> left,
                        strided_view<const bfloat16, 2> right, tensor_view<const bfloat16, 1> bias,
                        tensor_view<bfloat16, 2> output) const {
  require_bias(bias, output);
  run16<bfloat16>(context, after, left, right, bias.data(), output);
}

void matmul::operator()(const cpu_context& context, strided_view<const bfloat16, 3> left,
                        strided_view<const bfloat16, 3> right, tensor_view<bfloat16, 3> output) const {
  run16<bfloat16>(context, after, left, right, nullptr, output);
}

void matmul::operator()(const cpu_context& context, strided_view<const bfloat16, 3> left,
                        strided_view<const bfloat16, 3> right, tensor_view<const bfloat16, 1> bias,
                        tensor_view<bfloat16, 3> output) const {
  require_bias(bias, output);
  run16<bfloat16>(context, after, left, right, bias.data(), output);
}

void matmul::operator()(const cuda_context& context, strided_view<const bfloat16, 2> left,
                        strided_view<const bfloat16, 2> right, tensor_view<bfloat16, 2> output) const {
  run_on_gpu<bfloat16>(context, *this, left, right, nullptr, output);
}

void matmul::operator()(const cuda_context& context, strided_view<const bfloat16, 2> left,
                        strided_view<const bfloat16, 2> right, tensor_view<const bfloat16, 1> bias,
                        tensor_view<bfloat16, 2> output) const {
  require_bias(bias, output);
  run_on_gpu<bfloat16>(context, *this, left, right, bias.data(), output);
}

void matmul::operator()(const cuda_context& context, strided_view<const bfloat16, 3> left,
                        strided_view<const bfloat16, 3> right, tensor_view<bfloat16, 3> output) const {
  run_batch<bfloat16>(context, *this, left, right, nullptr, output);
}

void matmul::operator()(const cuda_context& context, strided_view<const bfloat16, 3> left,
                        strided_view<const bfloat16, 3> right, tensor_view<const bfloat16, 1> bias,
                        tensor_view<bfloat16, 3> output) const {
  require_bias(bias, output);
  run_batch<bfloat16>(context, *this, left, right, bias.data(), output);
}

void matmul::operator()(const cpu_context& context, strided_view<const half, 2> left,
                        strided_view<const half, 2> right, tensor_view<half, 2> output) const {
  run16<half>(context, after, left, right, nullptr, output);
}

void matmul::operator()(const cpu_context& context, strided_view<const half, 2> left,
                        strided_view<const half, 2> right, tensor_view<const half, 1> bias,
                        tensor_view<half, 2> output) const {
  require_bias(bias, output);
  run16<half>(context, after, left, right, bias.data(), output);
}

void matmul::operator()(const cpu_context& context, strided_view<const half, 3> left,
                        strided_view<const half, 3> right, tensor_view<half, 3> output) const {
  run16<half>(context, after, left, right, nullptr, output);
}

void matmul::operator()(const cpu_context& context, strided_view<const half, 3> left,
                        strided_view<const half, 3> right, tensor_view<const half, 1> bias,
                        tensor_view<half, 3> output) const {
  require_bias(bias, output);
  run16<half>(context, after, left, right, bias.data(), output);
}

void matmul::operator()(const cuda_context& context, strided_view<const half, 2> left,
                        strided_view<const half, 2> right, tensor_view<half, 2> output) const {
  run_on_gpu<half>(context, *this, left, right, nullptr, output);
}

void matmul::operator()(const cuda_context& context, strided_view<const half, 2> left,
                        strided_view<const half, 2> right, tensor_view<const half, 1> bias,
                        tensor_view<half, 2> output) const {
  require_bias(bias, output);
  run_on_gpu<half>(context, *this, left, right, bias.data(), output);
}

void matmul::operator()(const cuda_context& context, strided_view<const half, 3> left,
                        strided_view<const half, 3> right, tensor_view<half, 3> output) const {
  run_batch<half>(context, *this, left, right, nullptr, output);
}

void matmul::operator()(const cuda_context& context, strided_view<const half, 3> left,
                        strided_view<const half, 3> right, tensor_view<const half, 1> bias,
                        tensor_view<half, 3> output) const {
  require_bias(bias, output);
  run_batch<half>(context, *this, left, right, bias.data(), output);
}

}  // namespace weft
