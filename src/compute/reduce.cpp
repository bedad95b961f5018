#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <compute/numbers.hpp>
#include <weft/compute/kernels/reduce.hpp>

#include <vector>  // for std::vector

namespace weft::detail {
namespace {

constexpr std::int64_t reduce_part = 65536;  // elements
constexpr std::int64_t widest = 256;         // columns that reduce_columns takes at once

// An array as [outer, count, inner], reduced along the middle.
struct reduction_shape {
  std::int64_t outer = 1;
  std::int64_t count = 1;
  std::int64_t inner = 1;
};

reduction_shape checked(const char* name, reduction operation, int axis, const array& input,
                        const array& output) {
  if (axis != all_axes && (axis < 0 || axis >= input.rank)) {
    throw invalid_argument(std::string(name) + ": there is no axis " + std::to_string(axis) + " in shape " +
                           input.shape_text());
  }
  reduction_shape shape;
  array expected;
  std::int64_t stride = 1;
  bool dense = true;
  for (int at = input.rank; at-- > 0;) {
    const auto index = static_cast<std::size_t>(at);
    dense = dense && (input.extents[index] <= 1 || input.strides[index] == stride);
    stride *= input.extents[index];
  }
  for (int at = 0; at < input.rank; ++at) {
    const std::int64_t extent = input.extents[static_cast<std::size_t>(at)];
    if (axis == all_axes || at == axis) {
      shape.count *= extent;
    } else {
      (at < axis ? shape.outer : shape.inner) *= extent;
      expected.extents[static_cast<std::size_t>(expected.rank++)] = extent;
    }
  }
  if (expected.rank == 0) {
    expected.rank = 1;
    expected.extents[0] = 1;
  }
  if (expected.rank != output.rank || expected.extents != output.extents) {
    throw shape_error(std::string(name) + ": output has shape " + output.shape_text() +
                      " but input of shape " + input.shape_text() + " without the axis has shape " +
                      expected.shape_text());
  }
  if (!dense && input.size() > 0) {
    throw shape_error(std::string(name) + ": the input of shape " + input.shape_text() +
                      " is not dense: copy it into a tensor");
  }
  if (operation != reduction::sum && shape.count == 0 && output.size() > 0) {
    throw invalid_argument(std::string(name) + ": shape " + input.shape_text() +
                           " has nothing along the axis");
  }
  return shape;
}

bool is_real(dtype type) {
  return type == dtype::float32 || type == dtype::float64;
}

// Writes one result in the output's type.
void store_result(const array& output, bool real, double divisor, reduction operation, const partial& result,
                  std::int64_t index) {
  void* data = const_cast<void*>(output.data);
  if (operation == reduction::argmax) {
    static_cast<std::int64_t*>(data)[index] = result.index;
    return;
  }
  const double value = real ? result.real / divisor : 0.0;
  switch (output.type) {
    case dtype::float32:
      static_cast<float*>(data)[index] = static_cast<float>(value);
      break;
    case dtype::float64:
      static_cast<double*>(data)[index] = value;
      break;
    case dtype::int32:
      static_cast<std::int32_t*>(data)[index] = static_cast<std::int32_t>(result.integer);
      break;
    default:
      static_cast<std::int64_t*>(data)[index] = result.integer;
  }
}

// What comes later in memory joins what came before it.
void join(reduction operation, bool real, partial& total, const partial& next, std::int64_t offset) {
  if (operation == reduction::sum) {
    total.real += next.real;
    total.integer += next.integer;
    return;
  }
  const bool larger = real ? next.real > total.real || (next.real != next.real && total.real == total.real)
                           : next.integer > total.integer;
  if (!larger) return;
  total = next;
  total.index += offset;
}

}  // namespace

void run_reduction(const cpu_context& context, const char* name, reduction operation, int axis, bool mean,
                   const array& input, const array& output) {
  const reduction_shape shape = checked(name, operation, axis, input, output);
  if (output.size() == 0) return;
  const kernel_table& kernels = kernels_of(context.level());
  const number type = number_of(input.type);
  const bool real = is_real(input.type);
  const double divisor = mean ? static_cast<double>(shape.count) : 1.0;
  const std::int64_t width = size_of(input.type);
  const auto* data = static_cast<const std::byte*>(input.data);
  const auto address = [&](std::int64_t element) { return data + element * width; };

  if (shape.inner > 1) {
    const std::int64_t blocks = (shape.inner + widest - 1) / widest;
    context.parallel_for(shape.outer * blocks, [&](std::int64_t part) {
      const std::int64_t row = part / blocks;
      const std::int64_t column = part % blocks * widest;
      const std::int64_t columns = std::min(widest, shape.inner - column);
      partial results[widest];
      kernels.reduce_columns(operation, type, address(row * shape.count * shape.inner + column), shape.count,
                             shape.inner, columns, results);
      for (std::int64_t index = 0; index < columns; ++index) {
        store_result(output, real, divisor, operation, results[index], row * shape.inner + column + index);
      }
    });
    return;
  }
  const std::int64_t pieces = std::max<std::int64_t>(1, (shape.count + reduce_part - 1) / reduce_part);
  if (pieces == 1) {
    const std::int64_t rows = std::max<std::int64_t>(1, reduce_part / std::max<std::int64_t>(1, shape.count));
    run_parts(context, shape.outer, rows, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        partial result{};
        kernels.reduce_row(operation, type, address(row * shape.count), shape.count, result);
        store_result(output, real, divisor, operation, result, row);
      }
    });
    return;
  }
  std::vector<partial> partials(static_cast<std::size_t>(shape.outer * pieces));
  context.parallel_for(shape.outer * pieces, [&](std::int64_t part) {
    const std::int64_t begin = part % pieces * reduce_part;
    const std::int64_t end = std::min(shape.count, begin + reduce_part);
    kernels.reduce_row(operation, type, address(part / pieces * shape.count + begin), end - begin,
                       partials[static_cast<std::size_t>(part)]);
  });
  for (std::int64_t row = 0; row < shape.outer; ++row) {
    const partial* first = partials.data() + row * pieces;
    partial total = *first;
    for (std::int64_t piece = 1; piece < pieces; ++piece) {
      join(operation, real, total, first[piece], piece * reduce_part);
    }
    store_result(output, real, divisor, operation, total, row);
  }
}

void run_reduction(const cuda_context& context, const char* name, reduction operation, int axis, bool mean,
                   const array& input, const array& output) {
  const reduction_shape shape = checked(name, operation, axis, input, output);
  if (output.size() == 0) return;
  const reduction_run run = make_reduction_run(operation, mean, shape.outer, shape.count, shape.inner);
  void* const scratch = run.parts == 1 ? nullptr : context.scratch(reduction_scratch(run));
  context.kernels().reduce(context.stream(), run, number_of(input.type), input.data,
                           const_cast<void*>(output.data), scratch);
}

}  // namespace weft::detail
