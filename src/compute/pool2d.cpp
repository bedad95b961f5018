#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <weft/compute/kernels/pool2d.hpp>

#include <algorithm>  // for std::fill_n
#include <string>     // for std::to_string

namespace weft {
namespace {

constexpr std::int64_t pool2d_part = 16384;  // elements

detail::window window_of(const pool2d_options& options, const shape<4>& input, const shape<4>& output) {
  return {.height = input[2],
          .width = input[3],
          .out_height = output[2],
          .out_width = output[3],
          .kernel_height = options.size,
          .kernel_width = options.size,
          .stride = options.stride,
          .padding = options.padding};
}

// Calls each(plane) for every plane of a batch.
template <class Each>
void for_each_plane(const cpu_context& context, const shape<4>& input, const Each& each) {
  const std::int64_t together =
      std::max<std::int64_t>(1, pool2d_part / std::max<std::int64_t>(1, input[2] * input[3]));
  detail::run_parts(context, input[0] * input[1], together, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) each(plane);
  });
}

void check_backward(const shape<4>& pooled, const shape<4>& where, const shape<4>& input_gradient) {
  require_same_shape("max_pool2d_backward", "where", where, "output_gradient", pooled);
  require_same_shape("max_pool2d_backward", "input_gradient's planes",
                     shape<2>{input_gradient[0], input_gradient[1]}, "output_gradient's",
                     shape<2>{pooled[0], pooled[1]});
}

}  // namespace

shape<4> pooled_shape(const pool2d_options& options, const shape<4>& input) {
  const auto refuse = [](const char* name, std::int64_t value, const char* range) {
    throw invalid_argument(std::string("pool2d: ") + name + " is " + std::to_string(value) + ": it must be " +
                           range);
  };
  if (options.size < 1) refuse("size", options.size, "above 0");
  if (options.stride < 1) refuse("stride", options.stride, "above 0");
  if (options.padding < 0 || options.padding >= options.size) {
    refuse("padding", options.padding, "at least 0 and below size");
  }
  shape<4> result = input;
  for (const std::size_t axis : {2U, 3U}) {
    const std::int64_t room = input[axis] + 2 * options.padding - options.size;
    if (room < 0) {
      throw invalid_argument("pool2d: a window of " + std::to_string(options.size) +
                             " is larger than the padded input of shape " + to_string(input));
    }
    result[axis] = room / options.stride + 1;
  }
  return result;
}

void max_pool2d::operator()(const cpu_context& context, tensor_view<const float, 4> input,
                            tensor_view<float, 4> output, tensor_view<std::int32_t, 4> where) const {
  const shape<4> expected = pooled_shape(options, input.extents());
  require_same_shape("max_pool2d", "output", output.extents(), "the pooled input", expected);
  require_same_shape("max_pool2d", "where", where.extents(), "the pooled input", expected);
  const detail::window window = window_of(options, input.extents(), expected);
  const auto kernel = detail::kernels_of(context.level()).max_pool;
  const std::int64_t plane_size = window.height * window.width;
  const std::int64_t result_size = window.out_height * window.out_width;
  for_each_plane(context, input.extents(), [&](std::int64_t plane) {
    kernel(window, input.data() + plane * plane_size, output.data() + plane * result_size,
           where.data() + plane * result_size);
  });
}

void max_pool2d_backward::operator()(const cpu_context& context, tensor_view<const float, 4> output_gradient,
                                     tensor_view<const std::int32_t, 4> where,
                                     tensor_view<float, 4> input_gradient) const {
  const shape<4>& pooled = output_gradient.extents();
  check_backward(pooled, where.extents(), input_gradient.extents());
  const std::int64_t plane_size = input_gradient.extent(2) * input_gradient.extent(3);
  const std::int64_t result_size = pooled[2] * pooled[3];
  for (const std::int32_t place : where) {
    if (place < 0 || place >= plane_size) {
      throw invalid_argument("max_pool2d_backward: place " + std::to_string(place) +
                             " is outside a plane of shape " + to_string(input_gradient.extents()));
    }
  }
  for_each_plane(context, input_gradient.extents(), [&](std::int64_t plane) {
    float* to = input_gradient.data() + plane * plane_size;
    std::fill_n(to, plane_size, 0.0F);
    for (std::int64_t index = plane * result_size; index < (plane + 1) * result_size; ++index) {
      to[where.data()[index]] += output_gradient.data()[index];
    }
  });
}

void average_pool2d::operator()(const cpu_context& context, tensor_view<const float, 4> input,
                                tensor_view<float, 4> output) const {
  const shape<4> expected = pooled_shape(options, input.extents());
  require_same_shape("average_pool2d", "output", output.extents(), "the pooled input", expected);
  const detail::window window = window_of(options, input.extents(), expected);
  const auto kernel = detail::kernels_of(context.level()).average_pool;
  for_each_plane(context, input.extents(), [&](std::int64_t plane) {
    kernel(window, input.data() + plane * window.height * window.width,
           output.data() + plane * window.out_height * window.out_width);
  });
}

void average_pool2d_backward::operator()(const cpu_context& context,
                                         tensor_view<const float, 4> output_gradient,
                                         tensor_view<float, 4> input_gradient) const {
  const shape<4> expected = pooled_shape(options, input_gradient.extents());
  require_same_shape("average_pool2d_backward", "output_gradient", output_gradient.extents(),
                     "the pooled input", expected);
  const detail::window window = window_of(options, input_gradient.extents(), expected);
  const float share = 1.0F / static_cast<float>(options.size * options.size);
  for_each_plane(context, input_gradient.extents(), [&](std::int64_t plane) {
    float* to = input_gradient.data() + plane * window.height * window.width;
    const float* from = output_gradient.data() + plane * window.out_height * window.out_width;
    std::fill_n(to, window.height * window.width, 0.0F);
    for (std::int64_t y = 0; y < window.out_height; ++y) {
      for (std::int64_t x = 0; x < window.out_width; ++x) {
        const std::int64_t top = y * window.stride - window.padding;
        const std::int64_t left = x * window.stride - window.padding;
        const float value = from[y * window.out_width + x] * share;
        for (std::int64_t row = std::max<std::int64_t>(0, top);
             row < std::min(top + options.size, window.height); ++row) {
          for (std::int64_t column = std::max<std::int64_t>(0, left);
               column < std::min(left + options.size, window.width); ++column) {
            to[row * window.width + column] += value;
          }
        }
      }
    }
  });
}

void max_pool2d::operator()(const cuda_context& context, tensor_view<const float, 4> input,
                            tensor_view<float, 4> output, tensor_view<std::int32_t, 4> where) const {
  const shape<4> expected = pooled_shape(options, input.extents());
  require_same_shape("max_pool2d", "output", output.extents(), "the pooled input", expected);
  require_same_shape("max_pool2d", "where", where.extents(), "the pooled input", expected);
  if (output.empty()) return;
  context.kernels().max_pool(context.stream(), window_of(options, input.extents(), expected), input.data(),
                             output.data(), where.data(), expected[0] * expected[1]);
}

void max_pool2d_backward::operator()(const cuda_context& context, tensor_view<const float, 4> output_gradient,
                                     tensor_view<const std::int32_t, 4> where,
                                     tensor_view<float, 4> input_gradient) const {
  const shape<4>& pooled = output_gradient.extents();
  const shape<4>& input = input_gradient.extents();
  check_backward(pooled, where.extents(), input);
  if (input_gradient.empty()) return;
  context.kernels().max_pool_backward(context.stream(), output_gradient.data(), where.data(),
                                      input_gradient.data(), pooled[2] * pooled[3], input[2] * input[3],
                                      input[0] * input[1]);
}

void average_pool2d::operator()(const cuda_context& context, tensor_view<const float, 4> input,
                                tensor_view<float, 4> output) const {
  const shape<4> expected = pooled_shape(options, input.extents());
  require_same_shape("average_pool2d", "output", output.extents(), "the pooled input", expected);
  if (output.empty()) return;
  context.kernels().average_pool(context.stream(), window_of(options, input.extents(), expected),
                                 input.data(), output.data(), expected[0] * expected[1]);
}

void average_pool2d_backward::operator()(const cuda_context& context,
                                         tensor_view<const float, 4> output_gradient,
                                         tensor_view<float, 4> input_gradient) const {
  const shape<4>& input = input_gradient.extents();
  const shape<4> expected = pooled_shape(options, input);
  require_same_shape("average_pool2d_backward", "output_gradient", output_gradient.extents(),
                     "the pooled input", expected);
  if (input_gradient.empty()) return;
  context.kernels().average_pool_backward(context.stream(), window_of(options, input, expected),
                                          output_gradient.data(), input_gradient.data(), input[0] * input[1]);
}

}  // namespace weft
