#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <compute/numbers.hpp>
#include <weft/compute/kernels/elementwise.hpp>

#include <cstddef>  // for std::byte, std::size_t

namespace weft::detail {
namespace {

// Enough elements to be worth a task.
constexpr std::int64_t elementwise_part = 32768;  // elements

// An output that no core's share of a last-level cache holds goes past the caches: a store would read each
// line from memory first. Not where it overwrites an operand, whose lines are in the cache by then.
constexpr std::int64_t least_streamed = std::int64_t{32} << 20;  // bytes

bool worth_streaming(const array& output, const void* left, const void* right) {
  return output.size() * size_of(output.type) >= least_streamed && output.data != left &&
         output.data != right;
}

// The strides of an operand along the output's axes; 0 where it is repeated.
void repeat(const char* name, const char* operand_name, const array& operand, const array& output,
            std::array<std::int64_t, array::most_axes>& strides) {
  bool fits = operand.rank <= output.rank;
  for (int axis = 0; fits && axis < operand.rank; ++axis) {
    const auto from = static_cast<std::size_t>(axis);
    const auto to = static_cast<std::size_t>(axis + output.rank - operand.rank);
    fits = operand.extents[from] == output.extents[to] || operand.extents[from] == 1;
    strides[to] = operand.extents[from] == 1 ? 0 : operand.strides[from];
  }
  if (fits) return;
  throw shape_error(std::string(name) + ": " + operand_name + " has shape " + operand.shape_text() +
                    ", which cannot be repeated to the output's shape " + output.shape_text());
}

}  // namespace

broadcast_loop broadcast(const char* name, const array& left, const array& right, const array& output) {
  broadcast_loop all;
  repeat(name, "left", left, output, all.left);
  repeat(name, "right", right, output, all.right);
  broadcast_loop merged;
  // From the innermost axis on: an axis joins the one inside it if both operands go on evenly.
  for (int axis = output.rank; axis-- > 0;) {
    const auto from = static_cast<std::size_t>(axis);
    const std::int64_t extent = output.extents[from];
    if (extent == 1) continue;
    if (merged.rank > 0) {
      const auto inner = static_cast<std::size_t>(merged.rank - 1);
      const std::int64_t count = merged.extents[inner];
      if (all.left[from] == merged.left[inner] * count && all.right[from] == merged.right[inner] * count) {
        merged.extents[inner] *= extent;
        continue;
      }
    }
    const auto to = static_cast<std::size_t>(merged.rank++);
    merged.extents[to] = extent;
    merged.left[to] = all.left[from];
    merged.right[to] = all.right[from];
  }
  if (merged.rank == 0) {
    merged.rank = 1;
    merged.extents[0] = 1;
  }
  // Outermost first.
  for (int axis = 0; axis < merged.rank / 2; ++axis) {
    const auto one = static_cast<std::size_t>(axis);
    const auto other = static_cast<std::size_t>(merged.rank - 1 - axis);
    std::swap(merged.extents[one], merged.extents[other]);
    std::swap(merged.left[one], merged.left[other]);
    std::swap(merged.right[one], merged.right[other]);
  }
  return merged;
}

void run_binary(const cpu_context& context, const char* name, binary_operation operation, const array& left,
                const array& right, const array& output) {
  const broadcast_loop loop = broadcast(name, left, right, output);
  const std::int64_t size = output.size();
  if (size == 0) return;
  const auto kernel = kernels_of(context.level()).binary;
  const number type = number_of(output.type);
  const std::int64_t width = size_of(output.type);
  // The kernel goes over the two innermost axes.
  const auto last = static_cast<std::size_t>(loop.rank - 1);
  const bool is_row = loop.rank == 1;
  const std::int64_t columns = loop.extents[last];
  const std::int64_t rows = is_row ? 1 : loop.extents[last - 1];
  const bool streamed = worth_streaming(output, left.data, right.data);
  const auto run_block = [&](std::int64_t row, std::int64_t row_count, std::int64_t column,
                             std::int64_t column_count) {
    const auto operand_of = [&](const array& operand, const auto& strides) {
      const std::int64_t row_step = is_row ? 0 : strides[last - 1];
      std::int64_t offset = column * strides[last] + row % rows * row_step;
      std::int64_t rest = row / rows;
      for (std::size_t axis = is_row ? 0 : last - 1; axis-- > 0;) {
        offset += rest % loop.extents[axis] * strides[axis];
        rest /= loop.extents[axis];
      }
      return stepped_matrix{static_cast<const std::byte*>(operand.data) + offset * width, row_step,
                            strides[last]};
    };
    kernel(
        {.operation = operation,
         .type = type,
         .left = operand_of(left, loop.left),
         .right = operand_of(right, loop.right),
         .output = static_cast<std::byte*>(const_cast<void*>(output.data)) + (row * columns + column) * width,
         .rows = row_count,
         .columns = column_count,
         .streamed = streamed});
  };
  const std::int64_t all_rows = size / columns;
  // A part is some of a row, or several rows.
  const std::int64_t pieces = (columns + elementwise_part - 1) / elementwise_part;
  if (pieces > 1) {
    context.parallel_for(
        all_rows * pieces,
        [&](std::int64_t part) {
          const std::int64_t begin = columns * (part % pieces) / pieces;
          run_block(part / pieces, 1, begin, columns * (part % pieces + 1) / pieces - begin);
        },
        least_parts);
    return;
  }
  run_parts(context, all_rows, std::max<std::int64_t>(1, elementwise_part / columns),
            [&](std::int64_t begin, std::int64_t end) {
              while (begin < end) {
                const std::int64_t next = std::min(end, (begin / rows + 1) * rows);
                run_block(begin, next - begin, 0, columns);
                begin = next;
              }
            });
}

namespace {

void check_unary(const char* name, const array& input, const array& output) {
  std::int64_t expected = 1;
  bool dense = true;
  for (int axis = input.rank; axis-- > 0;) {
    const auto index = static_cast<std::size_t>(axis);
    dense = dense && (input.extents[index] <= 1 || input.strides[index] == expected);
    expected *= input.extents[index];
  }
  if (input.rank != output.rank || input.extents != output.extents) {
    throw shape_error(std::string(name) + ": input has shape " + input.shape_text() +
                      " but output has shape " + output.shape_text());
  }
  if (!dense && input.size() > 0) {
    throw shape_error(std::string(name) + ": the input of shape " + input.shape_text() +
                      " is not dense: copy it into a tensor");
  }
}

}  // namespace

void run_unary(const cpu_context& context, const char* name, unary_operation operation, const array& input,
               const array& output) {
  check_unary(name, input, output);
  const auto kernel = kernels_of(context.level()).unary;
  const auto* from = static_cast<const float*>(input.data);
  auto* to = static_cast<float*>(const_cast<void*>(output.data));
  const bool streamed = worth_streaming(output, input.data, input.data);
  run_parts(context, output.size(), elementwise_part, [&](std::int64_t begin, std::int64_t end) {
    kernel({.operation = operation,
            .input = from + begin,
            .output = to + begin,
            .count = end - begin,
            .streamed = streamed});
  });
}

void run_binary(const cuda_context& context, const char* name, binary_operation operation, const array& left,
                const array& right, const array& output) {
  const broadcast_loop loop = broadcast(name, left, right, output);
  if (output.size() > 0) {
    context.kernels().binary(context.stream(), operation, number_of(output.type), left.data, right.data,
                             const_cast<void*>(output.data), loop.rank, loop.extents.data(), loop.left.data(),
                             loop.right.data());
  }
}

void run_unary(const cuda_context& context, const char* name, unary_operation operation, const array& input,
               const array& output) {
  check_unary(name, input, output);
  if (output.size() > 0) {
    context.kernels().unary(context.stream(), operation, static_cast<const float*>(input.data),
                            static_cast<float*>(const_cast<void*>(output.data)), output.size());
  }
}

}  // namespace weft::detail
