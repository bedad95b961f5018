#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <weft/compute/kernels/softmax.hpp>

namespace weft {
namespace {

constexpr std::int64_t softmax_part = 8192;  // elements

std::int64_t rows_per_part(std::int64_t columns) {
  return std::max<std::int64_t>(1, softmax_part / std::max<std::int64_t>(1, columns));
}

detail::softmax_arguments arguments_of(const softmax& kernel, tensor_view<const float, 2> input,
                                       tensor_view<float, 2> output) {
  require_same_shape("softmax", "input", input.extents(), "output", output.extents());
  const std::int64_t columns = input.extent(1);
  return {.input = {input.data(), columns},
          .output = {output.data(), columns},
          .columns = columns,
          .logarithm = kernel.logarithm};
}

detail::softmax_backward_arguments arguments_of(tensor_view<const float, 2> output,
                                                tensor_view<const float, 2> output_gradient,
                                                tensor_view<float, 2> input_gradient) {
  require_same_shape("softmax_backward", "output", output.extents(), "output_gradient",
                     output_gradient.extents());
  require_same_shape("softmax_backward", "output", output.extents(), "input_gradient",
                     input_gradient.extents());
  const std::int64_t columns = output.extent(1);
  return {.output = {output.data(), columns},
          .output_gradient = {output_gradient.data(), columns},
          .input_gradient = {input_gradient.data(), columns},
          .columns = columns};
}

}  // namespace

void softmax::operator()(const cpu_context& context, tensor_view<const float, 2> input,
                         tensor_view<float, 2> output) const {
  const detail::softmax_arguments arguments = arguments_of(*this, input, output);
  if (input.empty()) return;
  const auto kernel = detail::kernels_of(context.level()).softmax;
  detail::run_parts(context, input.extent(0), rows_per_part(arguments.columns),
                    [&](std::int64_t begin, std::int64_t end) { kernel(arguments, begin, end); });
}

void softmax::operator()(const cuda_context& context, tensor_view<const float, 2> input,
                         tensor_view<float, 2> output) const {
  const detail::softmax_arguments arguments = arguments_of(*this, input, output);
  if (!input.empty()) context.kernels().softmax(context.stream(), arguments, input.extent(0));
}

void softmax_backward::operator()(const cpu_context& context, tensor_view<const float, 2> output,
                                  tensor_view<const float, 2> output_gradient,
                                  tensor_view<float, 2> input_gradient) const {
  const detail::softmax_backward_arguments arguments = arguments_of(output, output_gradient, input_gradient);
  if (output.empty()) return;
  const auto kernel = detail::kernels_of(context.level()).softmax_backward;
  detail::run_parts(context, output.extent(0), rows_per_part(arguments.columns),
                    [&](std::int64_t begin, std::int64_t end) { kernel(arguments, begin, end); });
}

void softmax_backward::operator()(const cuda_context& context, tensor_view<const float, 2> output,
                                  tensor_view<const float, 2> output_gradient,
                                  tensor_view<float, 2> input_gradient) const {
  const detail::softmax_backward_arguments arguments = arguments_of(output, output_gradient, input_gradient);
  if (!output.empty()) context.kernels().softmax_backward(context.stream(), arguments, output.extent(0));
}

}  // namespace weft
