#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <compute/numbers.hpp>
#include <weft/compute/kernels/elementwise.hpp>

#include <cstddef>  // for std::byte, std::size_t

namespace weft::detail {
namespace {

// Enough elements to be worth a task.
constexpr std::int64_t elementwise_part = 32768;  // elements

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
  const auto last = static_cast<std::size_t>(loop.rank - 1);
  const std::int64_t inner = loop.extents[last];
  const std::int64_t outer = size / inner;
  // A part is some of an inner row, or several rows.
  const std::int64_t pieces = (inner + elementwise_part - 1) / elementwise_part;
  const std::int64_t rows = std::max<std::int64_t>(1, elementwise_part / inner);
  const auto run_row = [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
    std::int64_t left_offset = begin * loop.left[last];
    std::int64_t right_offset = begin * loop.right[last];
    std::int64_t rest = row;
    for (std::size_t axis = last; axis-- > 0;) {
      const std::int64_t index = rest % loop.extents[axis];
      rest /= loop.extents[axis];
      left_offset += index * loop.left[axis];
      right_offset += index * loop.right[axis];
    }
    kernel({.operation = operation,
            .type = type,
            .left = static_cast<const std::byte*>(left.data) + left_offset * width,
            .right = static_cast<const std::byte*>(right.data) + right_offset * width,
            .left_step = loop.left[last],
            .right_step = loop.right[last],
            .output = static_cast<std::byte*>(const_cast<void*>(output.data)) + (row * inner + begin) * width,
            .count = end - begin});
  };
  if (pieces > 1) {
    context.parallel_for(outer * pieces, [&](std::int64_t part) {
      const std::int64_t piece = part % pieces;
      run_row(part / pieces, inner * piece / pieces, inner * (piece + 1) / pieces);
    });
  } else {
    run_parts(context, outer, rows, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) run_row(row, 0, inner);
    });
  }
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
  run_parts(context, output.size(), elementwise_part, [&](std::int64_t begin, std::int64_t end) {
    kernel(operation, from + begin, to + begin, end - begin);
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
