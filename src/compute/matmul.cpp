#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <weft/compute/kernels/matmul.hpp>

#include <string>  // for std::string

namespace weft {
namespace {

constexpr std::int64_t least_rows_of_a_tile = 192;

// A factor as it lies in memory: rows `stride` apart, or columns if transposed.
struct factor {
  const float* data;
  std::int64_t stride;
  bool transposed;
};

factor factor_of(const char* name, const strided_view<const float, 2>& matrix) {
  const auto [rows, columns] = matrix.extents();
  const auto [down, along] = matrix.strides();
  if (along == 1 || columns <= 1) return {matrix.data(), down, false};
  if (down == 1 || rows <= 1) return {matrix.data(), along, true};
  throw shape_error(std::string("matmul: ") + name + " of shape " + to_string(matrix.extents()) +
                    " has strides " + to_string(matrix.strides()) +
                    ": one of them must be 1; copy it into a tensor");
}

detail::product_arguments arguments_of(const strided_view<const float, 2>& left,
                                       const strided_view<const float, 2>& right, const float* bias,
                                       const tensor_view<float, 2>& output, activation after) {
  if (left.extent(1) != right.extent(0)) {
    throw shape_error("matmul: left has shape " + to_string(left.extents()) + " but right has shape " +
                      to_string(right.extents()) + ": left's columns must be right's rows");
  }
  require_same_shape("matmul", "output", output.extents(), "left * right",
                     shape<2>{left.extent(0), right.extent(1)});
  const factor first = factor_of("left", left);
  const factor second = factor_of("right", right);
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

void run_product(const cpu_context& context, const detail::product_arguments& arguments, std::int64_t rows,
                 std::int64_t columns) {
  const auto kernel = detail::kernels_of(context.level()).product;
  const detail::tile_grid grid(rows, columns, arguments.depth, detail::tile_order::down_columns,
                               least_rows_of_a_tile);
  context.parallel_for(grid.count(), [&](std::int64_t index) {
    kernel(arguments, grid.at(index), detail::thread_scratch(arguments.depth * detail::tile_columns));
  });
}

void require_bias(const tensor_view<const float, 1>& bias, const tensor_view<float, 2>& output) {
  require_same_shape("matmul", "bias", bias.extents(), "one row of the output", shape<1>{output.extent(1)});
}

std::int64_t batch_of(const strided_view<const float, 3>& left, const strided_view<const float, 3>& right,
                      const tensor_view<float, 3>& output) {
  if (left.extent(0) != right.extent(0) || left.extent(0) != output.extent(0)) {
    throw shape_error("matmul: left has shape " + to_string(left.extents()) + ", right " +
                      to_string(right.extents()) + " and output " + to_string(output.extents()) +
                      ": their batches (outer axes) differ");
  }
  return left.extent(0);
}

void run_on_gpu(const cuda_context& context, const detail::product_arguments& arguments, std::int64_t rows,
                std::int64_t columns, std::int64_t batch, std::int64_t left_step, std::int64_t right_step) {
  if (rows == 0 || columns == 0 || batch == 0) return;
  context.kernels().product(context, arguments, rows, columns, batch, left_step, right_step);
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
  const std::int64_t batch = batch_of(left, right, output);
  if (batch == 0) return;
  detail::product_arguments arguments = arguments_of(left[0], right[0], nullptr, output[0], after);
  const std::int64_t rows = output.extent(1);
  const std::int64_t columns = output.extent(2);
  const detail::tile_grid grid(rows, columns, arguments.depth, detail::tile_order::down_columns,
                               least_rows_of_a_tile);
  const auto kernel = detail::kernels_of(context.level()).product;
  // Matrices whose tiles together are worth a task share one.
  const std::int64_t operations = 2 * std::max<std::int64_t>(1, rows * columns * arguments.depth);
  const std::int64_t together = std::max<std::int64_t>(1, 4'000'000 / operations);
  detail::run_parts(context, batch, together, [&](std::int64_t begin, std::int64_t end) {
    float* scratch = detail::thread_scratch(arguments.depth * detail::tile_columns);
    detail::product_arguments one = arguments;
    for (std::int64_t index = begin; index < end; ++index) {
      one.left = arguments.left + index * left.stride(0);
      one.right.data = arguments.right.data + index * right.stride(0);
      one.output.data = arguments.output.data + index * rows * columns;
      for (std::int64_t tile = 0; tile < grid.count(); ++tile) kernel(one, grid.at(tile), scratch);
    }
  });
}

void matmul::operator()(const cuda_context& context, strided_view<const float, 2> left,
                        strided_view<const float, 2> right, tensor_view<float, 2> output) const {
  run_on_gpu(context, arguments_of(left, right, nullptr, output, after), output.extent(0), output.extent(1),
             1, 0, 0);
}

void matmul::operator()(const cuda_context& context, strided_view<const float, 2> left,
                        strided_view<const float, 2> right, tensor_view<const float, 1> bias,
                        tensor_view<float, 2> output) const {
  require_bias(bias, output);
  run_on_gpu(context, arguments_of(left, right, bias.data(), output, after), output.extent(0),
             output.extent(1), 1, 0, 0);
}

void matmul::operator()(const cuda_context& context, strided_view<const float, 3> left,
                        strided_view<const float, 3> right, tensor_view<float, 3> output) const {
  const std::int64_t batch = batch_of(left, right, output);
  if (batch == 0) return;
  run_on_gpu(context, arguments_of(left[0], right[0], nullptr, output[0], after), output.extent(1),
             output.extent(2), batch, left.stride(0), right.stride(0));
}

}  // namespace weft
