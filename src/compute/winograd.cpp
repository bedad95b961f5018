#include <compute/dispatch.hpp>
#include <compute/winograd.hpp>

#include <algorithm>  // for std::clamp, std::fill_n, std::max, std::min
#include <cstddef>    // for std::size_t
#include <cstdint>    // for std::int64_t
#include <vector>     // for std::vector

namespace weft::detail {
namespace {

constexpr std::int64_t points = 16;

// What it costs to spread an input, an output and a weight and to read the latter, in the products of a
// square or a pixel that it takes or saves for each of them. Measured on an AMD EPYC with AVX-512.
constexpr std::int64_t products_of_an_input = 140;
constexpr std::int64_t products_of_an_output = 90;
constexpr std::int64_t products_of_a_weight = 1600;
constexpr std::int64_t products_of_a_weight_gradient = 3000;

// With more of them, what is spread of the weight would take more than 64 MiB, which a thread keeps.
constexpr std::int64_t most_weights = std::int64_t{1} << 20;

// Squares that are worked on together: so many floats of a point lie in a cache with their sums, while the
// weight is read for all of them. Of the weight's gradient the sums are in memory, and few rounds are wanted.
constexpr std::int64_t floats_together = 65'536;
constexpr std::int64_t fewest_together = 128;
constexpr std::int64_t most_together = 256;
constexpr std::int64_t floats_correlated_together = 262'144;
constexpr std::int64_t most_correlated_together = 1024;

constexpr std::int64_t columns_of_a_weight = 16;

// A part of the outputs is worth it that another task spreads the same inputs.
constexpr std::int64_t least_outputs = 64;

std::int64_t divide_up(std::int64_t value, std::int64_t by) {
  return (value + by - 1) / by;
}

// As many floats or more, so that what lies so far apart falls on different lines of a cache.
std::int64_t odd_lines(std::int64_t floats) {
  return (divide_up(floats, most_lanes) | 1) * most_lanes;
}

std::int64_t scratch_of(const winograd_squares& squares) {
  return 10 * (squares.across + most_lanes);
}

// How the squares of a convolution are cut for some threads, which changes no result.
struct winograd_tasks {
  winograd_tasks(std::int64_t rows, std::int64_t across, std::int64_t channels, std::int64_t outputs,
                 std::int64_t threads) {
    const std::int64_t most =
        std::clamp(floats_together / (channels + outputs), fewest_together, most_together);
    // The columns of a thread: those of whole registers, and some more for reading the weight.
    const auto cost = [&](std::int64_t rows_together) {
      const std::int64_t columns = divide_up(rows_together * across, tile_columns) * tile_columns;
      return divide_up(divide_up(rows, rows_together), threads) * (columns + columns_of_a_weight);
    };
    together = std::max<std::int64_t>(1, most / across);
    for (std::int64_t fewer = together - 1; fewer * across >= tile_columns; --fewer) {
      if (cost(fewer) < cost(together)) together = fewer;
    }
    blocks = divide_up(rows, together);
    parts = std::clamp<std::int64_t>(threads / blocks, 1, std::max<std::int64_t>(1, outputs / least_outputs));
  }

  std::int64_t together;  // rows of squares
  std::int64_t blocks, parts;
};

}  // namespace

bool is_worth_winograd(winograd_use use, const shape<4>& weight, const shape<4>& output) noexcept {
  if (weight[2] != 3 || weight[3] != 3) return false;
  const std::int64_t across = divide_up(output[3], 2);
  const std::int64_t rows = output[0] * divide_up(output[2], 2);
  const std::int64_t weights = weight[0] * weight[1];
  if (weights > most_weights) return false;
  // Without squares, what lies between two rows of the output is computed for nothing.
  const std::int64_t saved = 9 * output[0] * output[2] * (output[3] + 2) - points * rows * across;
  const std::int64_t of_a_square = weight[1] * products_of_an_input + weight[0] * products_of_an_output;
  const std::int64_t of_a_weight =
      use == winograd_use::output ? products_of_a_weight : products_of_a_weight_gradient;
  return saved * weights >
         rows * divide_up(across, most_lanes) * most_lanes * of_a_square + of_a_weight * weights;
}

void winograd_convolve(const cpu_context& context, const winograd_planes& planes,
                       const winograd_weight_arguments& weight, const float* bias, const shape<4>& extents,
                       float* output) {
  const kernel_table& kernels = kernels_of(context.level());
  const std::int64_t outputs = weight.outputs;
  const std::int64_t channels = weight.channels;
  const std::int64_t weight_step = odd_lines(outputs * channels);
  float* const spread_weight = shared_scratch(points * weight_step);
  const std::int64_t shares = divide_up(outputs, 16);
  context.parallel_for(
      shares,
      [&](std::int64_t part) {
        kernels.winograd_weight(weight, {part, shares}, spread_weight, weight_step);
      },
      worth_a_thread(elements_of_a_thread, points * outputs * channels / shares));

  const std::int64_t across = divide_up(extents[3], 2);
  const std::int64_t down = divide_up(extents[2], 2);
  const std::int64_t rows = extents[0] * down;
  const winograd_tasks tasks(rows, across, channels, outputs, context.threads());
  const std::int64_t stride = odd_lines(tasks.together * across + most_lanes);
  const std::int64_t input_step = odd_lines(channels * stride);
  const std::int64_t sums_step = odd_lines(outputs * stride);
  context.parallel_for(
      tasks.blocks * tasks.parts,
      [&](std::int64_t task) {
        const share own{task % tasks.parts, tasks.parts};
        const std::int64_t first = task / tasks.parts * tasks.together;
        const winograd_squares squares{
            .across = across, .down = down, .first = first, .rows = std::min(tasks.together, rows - first)};
        float* const scratch = thread_scratch(points * (input_step + sums_step) + scratch_of(squares));
        const winograd_points inputs{scratch, stride, input_step};
        const winograd_points sums{scratch + points * input_step, stride, sums_step};
        kernels.winograd_input(planes, squares, 0, channels, inputs, sums.data + points * sums_step);
        kernels.winograd_product({.weight = spread_weight,
                                  .weight_step = weight_step,
                                  .input = inputs,
                                  .sums = sums,
                                  .outputs = outputs,
                                  .channels = channels,
                                  .columns = squares.rows * across},
                                 own);
        kernels.winograd_output({.sums = sums,
                                 .bias = bias,
                                 .output = output,
                                 .outputs = outputs,
                                 .height = extents[2],
                                 .width = extents[3]},
                                squares, own);
      },
      worth_a_thread(operations_of_a_thread,
                     2 * points * outputs * channels * tasks.together * across / tasks.parts));
}

void winograd_correlate(const cpu_context& context, const winograd_planes& planes,
                        const winograd_planes& output_gradient, std::int64_t images, float* weight_gradient) {
  const kernel_table& kernels = kernels_of(context.level());
  const std::int64_t outputs = output_gradient.channels;
  const std::int64_t channels = planes.channels;
  const std::int64_t across = divide_up(output_gradient.width, 2);
  const std::int64_t down = divide_up(output_gradient.height, 2);
  const std::int64_t rows = images * down;
  const std::int64_t squares_together =
      std::min(floats_correlated_together / (outputs + channels), most_correlated_together);
  const std::int64_t together = std::clamp<std::int64_t>(squares_together / across, 1, rows);
  const std::int64_t stride = odd_lines(together * across + most_lanes);
  const std::int64_t step = odd_lines(outputs * channels);
  const std::int64_t input_step = odd_lines(channels * stride);
  const std::int64_t slope_step = odd_lines(outputs * stride);
  float* const sums = shared_scratch(points * (step + input_step + slope_step));
  const winograd_points inputs{sums + points * step, stride, input_step};
  const winograd_points slopes{inputs.data + points * input_step, stride, slope_step};
  std::vector<std::int64_t> offsets(static_cast<std::size_t>(channels));
  for (std::int64_t channel = 0; channel < channels; ++channel)
    offsets[static_cast<std::size_t>(channel)] = channel * stride;

  constexpr std::int64_t planes_of_a_task = 8;
  const std::int64_t input_tasks = divide_up(channels, planes_of_a_task);
  const std::int64_t spread_tasks = input_tasks + divide_up(outputs, planes_of_a_task);
  const std::int64_t parts = std::clamp<std::int64_t>(outputs / least_outputs, 1, 4);
  for (std::int64_t first_row = 0; first_row < rows; first_row += together) {
    const winograd_squares squares{
        .across = across, .down = down, .first = first_row, .rows = std::min(together, rows - first_row)};
    const std::int64_t columns = divide_up(squares.rows * across, most_lanes) * most_lanes;
    context.parallel_for(
        spread_tasks,
        [&](std::int64_t task) {
          float* const scratch = thread_scratch(scratch_of(squares));
          if (task < input_tasks) {
            const std::int64_t first = task * planes_of_a_task;
            kernels.winograd_input(planes, squares, first, std::min(channels, first + planes_of_a_task),
                                   inputs, scratch);
          } else {
            const std::int64_t first = (task - input_tasks) * planes_of_a_task;
            kernels.winograd_gradient(output_gradient, squares, first,
                                      std::min(outputs, first + planes_of_a_task), slopes, scratch);
          }
        },
        worth_a_thread(elements_of_a_thread, points * planes_of_a_task * columns));
    context.parallel_for(
        points * parts,
        [&](std::int64_t task) {
          const std::int64_t point = task / parts;
          const std::int64_t first = outputs * (task % parts) / parts;
          const std::int64_t end = outputs * (task % parts + 1) / parts;
          float* const result = sums + point * step + first * channels;
          if (first_row == 0) std::fill_n(result, (end - first) * channels, 0.0F);
          kernels.correlate({.padded = inputs.data + point * input_step,
                             .offsets = offsets.data(),
                             .gradient = slopes.data + point * slope_step + first * stride,
                             .stride = stride,
                             .result = result,
                             .outputs = end - first,
                             .depth = channels,
                             .images = 1,
                             .padded_image = 0,
                             .columns = columns});
        },
        worth_a_thread(operations_of_a_thread, 2 * outputs * channels * columns / parts));
  }
  constexpr std::int64_t weights_of_a_task = 1024;
  run_parts(context, outputs * channels, weights_of_a_task, [&](std::int64_t begin, std::int64_t end) {
    kernels.winograd_weight_gradient(sums + begin, step, end - begin, weight_gradient + begin * 9);
  });
}

}  // namespace weft::detail
