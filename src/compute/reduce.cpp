#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <compute/numbers.hpp>
#include <weft/compute/kernels/reduce.hpp>

#include <algorithm>    // for std::clamp, std::copy_n, std::max, std::min
#include <cmath>        // for std::isnan
#include <cstddef>      // for std::byte, std::size_t
#include <type_traits>  // for std::is_floating_point_v
#include <vector>       // for std::vector

namespace weft::detail {
namespace {

// A piece of a row has so many elements, and one of a column so many rows that it and its neighbours have.
constexpr std::int64_t row_piece = 65536;
constexpr std::int64_t column_piece = 524288;

// A task has at most so many results.
constexpr std::int64_t most_results = 2048;
static_assert(most_results >= most_columns);

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

// Results of a piece: sums as they are, the largest elements, and where those are.
template <class Total>
struct piece {
  Total* values;
  std::int64_t* places;
};

template <class Total, class T>
void store_values(const Total* values, std::int64_t count, bool mean, double divisor, T* output) {
  for (std::int64_t index = 0; index < count; ++index) {
    if (mean) {
      output[index] = static_cast<T>(static_cast<double>(values[index]) / divisor);
    } else {
      output[index] = static_cast<T>(values[index]);
    }
  }
}

template <class Total>
bool is_no_number(Total value) {
  return std::is_floating_point_v<Total> && std::isnan(static_cast<double>(value));
}

// What comes later in memory joins what came before it.
template <class Total>
void join(reduction operation, std::int64_t count, const piece<Total>& total, const piece<Total>& next,
          std::int64_t rows_before) {
  for (std::int64_t index = 0; index < count; ++index) {
    Total& value = total.values[index];
    const Total after = next.values[index];
    if (operation == reduction::sum) {
      value += after;
    } else if (after > value || (is_no_number(after) && !is_no_number(value))) {
      value = after;
      if (operation == reduction::argmax) total.places[index] = next.places[index] + rows_before;
    }
  }
}

// Total is what the kernels' results are.
template <class Total>
void reduce_on_cpu(const cpu_context& context, reduction operation, bool mean, const reduction_shape& shape,
                   const array& input, const array& output) {
  const auto [outer, count, inner] = shape;
  const kernel_table& kernels = kernels_of(context.level());
  const std::int64_t width = size_of(input.type);
  const bool rows = inner == 1;
  const std::int64_t block = std::min(inner, most_columns);
  const std::int64_t blocks = (inner + block - 1) / block;
  const std::int64_t length = rows ? row_piece : std::max<std::int64_t>(64, column_piece / block);
  const std::int64_t pieces = std::max<std::int64_t>(1, (count + length - 1) / length);

  const auto reduce = [&](std::int64_t row, std::int64_t row_count, std::int64_t begin, std::int64_t end,
                          std::int64_t column, std::int64_t columns, const piece<Total>& results) {
    const std::int64_t first = (row * count + begin) * inner + column;
    reduction_arguments arguments{.operation = operation,
                                  .type = number_of(input.type),
                                  .first = static_cast<const std::byte*>(input.data) + first * width,
                                  .rows = rows ? row_count : end - begin,
                                  .columns = rows ? end - begin : columns,
                                  .stride = rows ? count : inner,
                                  .results = results.values,
                                  .places = results.places};
    (rows ? kernels.reduce_rows : kernels.reduce_columns)(arguments);
  };
  const auto store = [&](std::int64_t first, std::int64_t number, const piece<Total>& results) {
    const double divisor = static_cast<double>(count);
    void* const data = const_cast<void*>(output.data);
    if (operation == reduction::argmax) {
      std::copy_n(results.places, number, static_cast<std::int64_t*>(data) + first);
    } else if (output.type == dtype::float32) {
      store_values(results.values, number, mean, divisor, static_cast<float*>(data) + first);
    } else if (output.type == dtype::float64) {
      store_values(results.values, number, mean, divisor, static_cast<double*>(data) + first);
    } else if (output.type == dtype::int32) {
      store_values(results.values, number, mean, divisor, static_cast<std::int32_t*>(data) + first);
    } else {
      store_values(results.values, number, mean, divisor, static_cast<std::int64_t*>(data) + first);
    }
  };

  // Several outer indices share a task, and the kernel's call if they are rows.
  const std::int64_t size = std::max<std::int64_t>(1, std::min(length, count) * block);
  const std::int64_t together = std::clamp<std::int64_t>(row_piece / size, 1, most_results);
  const std::int64_t least = worth_a_thread(elements_of_a_thread, together * size);
  if (pieces == 1) {
    run_parts(
        context, outer * blocks, together,
        [&](std::int64_t begin, std::int64_t end) {
          Total values[most_results];
          std::int64_t places[most_results];
          const piece<Total> results{values, places};
          if (rows) {
            reduce(begin, end - begin, 0, count, 0, 1, results);
            store(begin, end - begin, results);
            return;
          }
          for (std::int64_t part = begin; part < end; ++part) {
            const std::int64_t column = part % blocks * block;
            const std::int64_t columns = std::min(block, inner - column);
            reduce(part / blocks, 1, 0, count, column, columns, results);
            store(part / blocks * inner + column, columns, results);
          }
        },
        least);
    return;
  }
  std::vector<Total> values(static_cast<std::size_t>(outer * pieces * inner));
  std::vector<std::int64_t> places(operation == reduction::argmax ? values.size() : 0);
  const auto results_of = [&](std::int64_t row, std::int64_t part, std::int64_t column) {
    const std::int64_t first = (row * pieces + part) * inner + column;
    return piece<Total>{values.data() + first, places.empty() ? nullptr : places.data() + first};
  };
  run_parts(
      context, outer * pieces * blocks, together,
      [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t index = begin; index < end; ++index) {
          const std::int64_t column = index % blocks * block;
          const std::int64_t part = index / blocks % pieces;
          const std::int64_t row = index / blocks / pieces;
          reduce(row, 1, part * length, std::min(count, (part + 1) * length), column,
                 std::min(block, inner - column), results_of(row, part, column));
        }
      },
      least);
  for (std::int64_t row = 0; row < outer; ++row) {
    const piece<Total> total = results_of(row, 0, 0);
    for (std::int64_t part = 1; part < pieces; ++part)
      join(operation, inner, total, results_of(row, part, 0), part * length);
    store(row * inner, inner, total);
  }
}

}  // namespace

void run_reduction(const cpu_context& context, const char* name, reduction operation, int axis, bool mean,
                   const array& input, const array& output) {
  const reduction_shape shape = checked(name, operation, axis, input, output);
  if (output.size() == 0) return;
  if (input.type == dtype::float32 || input.type == dtype::float64) {
    reduce_on_cpu<double>(context, operation, mean, shape, input, output);
  } else {
    reduce_on_cpu<std::int64_t>(context, operation, mean, shape, input, output);
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
