#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <weft/compute/kernels/layer_norm.hpp>

#include <algorithm>  // for std::fill_n, std::max
#include <cmath>      // for std::isfinite
#include <string>     // for std::to_string

namespace weft {
namespace {

constexpr std::int64_t layer_norm_part = 8192;  // elements

detail::layer_norm_arguments arguments_of(const layer_norm& kernel, tensor_view<const float, 2> input,
                                          tensor_view<const float, 1> scale,
                                          tensor_view<const float, 1> shift, tensor_view<float, 2> output,
                                          tensor_view<float, 1> mean,
                                          tensor_view<float, 1> inverse_deviation) {
  if (!std::isfinite(kernel.epsilon) || kernel.epsilon < 0.0) {
    throw invalid_argument("layer_norm: epsilon is " + std::to_string(kernel.epsilon) +
                           ": it must be finite and at least 0");
  }
  const shape<1> row{input.extent(1)};
  const shape<1> column{input.extent(0)};
  require_same_shape("layer_norm", "scale", scale.extents(), "one row of the input", row);
  require_same_shape("layer_norm", "shift", shift.extents(), "one row of the input", row);
  require_same_shape("layer_norm", "output", output.extents(), "input", input.extents());
  require_same_shape("layer_norm", "mean", mean.extents(), "one column of the input", column);
  require_same_shape("layer_norm", "inverse_deviation", inverse_deviation.extents(),
                     "one column of the input", column);
  const std::int64_t columns = input.extent(1);
  return {.input = {input.data(), columns},
          .scale = scale.data(),
          .shift = shift.data(),
          .output = {output.data(), columns},
          .mean = mean.data(),
          .inverse_deviation = inverse_deviation.data(),
          .columns = columns,
          .epsilon = static_cast<float>(kernel.epsilon)};
}

detail::layer_norm_backward_arguments arguments_of(
    tensor_view<const float, 2> input, tensor_view<const float, 1> scale, tensor_view<const float, 1> mean,
    tensor_view<const float, 1> inverse_deviation, tensor_view<const float, 2> output_gradient,
    tensor_view<float, 2> input_gradient, tensor_view<float, 1> scale_gradient,
    tensor_view<float, 1> shift_gradient) {
  const shape<1> row{input.extent(1)};
  const shape<1> column{input.extent(0)};
  require_same_shape("layer_norm_backward", "scale", scale.extents(), "one row of the input", row);
  require_same_shape("layer_norm_backward", "mean", mean.extents(), "one column of the input", column);
  require_same_shape("layer_norm_backward", "inverse_deviation", inverse_deviation.extents(),
                     "one column of the input", column);
  require_same_shape("layer_norm_backward", "output_gradient", output_gradient.extents(), "input",
                     input.extents());
  require_same_shape("layer_norm_backward", "input_gradient", input_gradient.extents(), "input",
                     input.extents());
  require_same_shape("layer_norm_backward", "scale_gradient", scale_gradient.extents(),
                     "one row of the input", row);
  require_same_shape("layer_norm_backward", "shift_gradient", shift_gradient.extents(),
                     "one row of the input", row);
  const std::int64_t columns = input.extent(1);
  return {.input = {input.data(), columns},
          .output_gradient = {output_gradient.data(), columns},
          .scale = scale.data(),
          .mean = mean.data(),
          .inverse_deviation = inverse_deviation.data(),
          .input_gradient = {input_gradient.data(), columns},
          .columns = columns};
}

}  // namespace

void layer_norm::operator()(const cpu_context& context, tensor_view<const float, 2> input,
                            tensor_view<const float, 1> scale, tensor_view<const float, 1> shift,
                            tensor_view<float, 2> output, tensor_view<float, 1> mean,
                            tensor_view<float, 1> inverse_deviation) const {
  const detail::layer_norm_arguments arguments =
      arguments_of(*this, input, scale, shift, output, mean, inverse_deviation);
  if (input.empty()) return;
  const auto kernel = detail::kernels_of(context.level()).layer_norm;
  detail::run_parts(context, input.extent(0), std::max<std::int64_t>(1, layer_norm_part / input.extent(1)),
                    [&](std::int64_t begin, std::int64_t end) { kernel(arguments, begin, end); });
}

void layer_norm::operator()(const cuda_context& context, tensor_view<const float, 2> input,
                            tensor_view<const float, 1> scale, tensor_view<const float, 1> shift,
                            tensor_view<float, 2> output, tensor_view<float, 1> mean,
                            tensor_view<float, 1> inverse_deviation) const {
  const detail::layer_norm_arguments arguments =
      arguments_of(*this, input, scale, shift, output, mean, inverse_deviation);
  if (input.empty()) return;
  context.kernels().layer_norm(context.stream(), arguments, input.extent(0));
}

void layer_norm_backward::operator()(const cpu_context& context, tensor_view<const float, 2> input,
                                     tensor_view<const float, 1> scale, tensor_view<const float, 1> mean,
                                     tensor_view<const float, 1> inverse_deviation,
                                     tensor_view<const float, 2> output_gradient,
                                     tensor_view<float, 2> input_gradient,
                                     tensor_view<float, 1> scale_gradient,
                                     tensor_view<float, 1> shift_gradient) const {
  const std::int64_t rows = input.extent(0);
  const std::int64_t columns = input.extent(1);
  const detail::layer_norm_backward_arguments arguments = arguments_of(
      input, scale, mean, inverse_deviation, output_gradient, input_gradient, scale_gradient, shift_gradient);
  if (columns == 0) return;
  const auto kernel = detail::kernels_of(context.level()).layer_norm_backward;
  detail::run_parts(context, rows, std::max<std::int64_t>(1, layer_norm_part / columns),
                    [&](std::int64_t begin, std::int64_t end) { kernel(arguments, begin, end); });
  if (rows == 0) {
    std::fill_n(scale_gradient.data(), columns, 0.0F);
    std::fill_n(shift_gradient.data(), columns, 0.0F);
    return;
  }
  // Columns are independent; each is summed down the rows.
  const detail::layer_norm_parameters_arguments parameters{.input = arguments.input,
                                                           .output_gradient = arguments.output_gradient,
                                                           .mean = mean.data(),
                                                           .inverse_deviation = inverse_deviation.data(),
                                                           .scale_gradient = scale_gradient.data(),
                                                           .shift_gradient = shift_gradient.data(),
                                                           .rows = rows};
  const auto sum = detail::kernels_of(context.level()).layer_norm_parameters;
  constexpr std::int64_t columns_per_part = 512;  // whose sums lie in the first-level cache
  detail::run_parts(
      context, columns, columns_per_part,
      [&](std::int64_t begin, std::int64_t end) { sum(parameters, begin, end); },
      detail::worth_a_thread(detail::elements_of_a_thread / 2, rows * columns_per_part));
}

void layer_norm_backward::operator()(const cuda_context& context, tensor_view<const float, 2> input,
                                     tensor_view<const float, 1> scale, tensor_view<const float, 1> mean,
                                     tensor_view<const float, 1> inverse_deviation,
                                     tensor_view<const float, 2> output_gradient,
                                     tensor_view<float, 2> input_gradient,
                                     tensor_view<float, 1> scale_gradient,
                                     tensor_view<float, 1> shift_gradient) const {
  const detail::layer_norm_backward_arguments arguments = arguments_of(
      input, scale, mean, inverse_deviation, output_gradient, input_gradient, scale_gradient, shift_gradient);
  if (arguments.columns == 0) return;
  context.kernels().layer_norm_backward(context.stream(), arguments, scale_gradient.data(),
                                        shift_gradient.data(), input.extent(0));
}

}  // namespace weft
