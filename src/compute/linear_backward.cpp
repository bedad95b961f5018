#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <weft/compute/kernels/linear_backward.hpp>

#include <string>  // for std::string

namespace weft {
namespace {

void require_same_batch(const char* operation, tensor_view<const float, 2> input,
                        tensor_view<const float, 2> output_gradient) {
  if (input.extent(0) == output_gradient.extent(0)) return;
  throw shape_error(std::string(operation) + ": input has shape " + to_string(input.extents()) +
                    " but output_gradient has shape " + to_string(output_gradient.extents()) +
                    ": their batches (rows) differ");
}

void check_parameters(tensor_view<const float, 2> input, tensor_view<const float, 2> output_gradient,
                      const shape<2>& weight_gradient, const shape<1>& bias_gradient) {
  require_same_batch("linear_backward_parameters", input, output_gradient);
  require_same_shape("linear_backward_parameters", "weight_gradient", weight_gradient,
                     "transpose(input) * output_gradient",
                     shape<2>{input.extent(1), output_gradient.extent(1)});
  require_same_shape("linear_backward_parameters", "bias_gradient", bias_gradient,
                     "one row of output_gradient", shape<1>{output_gradient.extent(1)});
}

void check_input(const shape<2>& output_gradient, const shape<2>& weight, const shape<2>& input_gradient) {
  if (output_gradient[1] != weight[1]) {
    throw shape_error("linear_backward_input: output_gradient has shape " + to_string(output_gradient) +
                      " but weight has shape " + to_string(weight) + ": their columns differ");
  }
  require_same_shape("linear_backward_input", "input_gradient", input_gradient,
                     "output_gradient * transpose(weight)", shape<2>{output_gradient[0], weight[0]});
}

void run_parameters(const cpu_context& context, const detail::weight_gradient_arguments& arguments,
                    std::int64_t inputs, std::int64_t outputs) {
  // Along the rows, so that a thread writes what it will read again when the gradient is used element by
  // element. The first row of tiles also sums the bias gradient; with no inputs there is none, but there is
  // still a bias.
  const auto kernel = detail::kernels_of(context.level()).weight_gradient;
  if (inputs > 0) {
    detail::run_tiles(context, kernel, arguments, inputs, outputs, arguments.batch,
                      detail::tile_order::along_rows);
  } else {
    kernel(arguments, {0, 0, 0, outputs}, detail::thread_scratch(arguments.batch * detail::tile_columns));
  }
}

void run_input(const cpu_context& context, tensor_view<const float, 2> output_gradient,
               tensor_view<const float, 2> weight, const float* active,
               tensor_view<float, 2> input_gradient) {
  const std::int64_t batch = output_gradient.extent(0);
  const std::int64_t inputs = weight.extent(0);
  const std::int64_t outputs = weight.extent(1);
  check_input(output_gradient.extents(), weight.extents(), input_gradient.extents());
  const detail::input_gradient_arguments arguments{.output_gradient = {output_gradient.data(), outputs},
                                                   .weight = {weight.data(), outputs},
                                                   .active = {active, inputs},
                                                   .input_gradient = {input_gradient.data(), inputs},
                                                   .outputs = outputs};
  detail::run_tiles(context, detail::kernels_of(context.level()).input_gradient, arguments, batch, inputs,
                    outputs, detail::tile_order::down_columns);
}

void run_input(const cuda_context& context, tensor_view<const float, 2> output_gradient,
               tensor_view<const float, 2> weight, const float* active,
               tensor_view<float, 2> input_gradient) {
  check_input(output_gradient.extents(), weight.extents(), input_gradient.extents());
  if (input_gradient.empty()) return;
  const std::int64_t outputs = weight.extent(1);
  context.kernels().product(context,
                            {.type = detail::product_type::float32,
                             .left = output_gradient.data(),
                             .left_row = outputs,
                             .left_depth = 1,
                             .left_step = 0,
                             .right = weight.data(),
                             .right_stride = outputs,
                             .right_step = 0,
                             .right_transposed = true,
                             .bias = nullptr,
                             .output = input_gradient.data(),
                             .rows = output_gradient.extent(0),
                             .columns = weight.extent(0),
                             .depth = outputs,
                             .batch = 1,
                             .after = activation::none,
                             .accumulate = false},
                            context.scratch(detail::product_workspace));
  if (active != nullptr) {
    context.kernels().mask(context.stream(), active, input_gradient.data(), input_gradient.size());
  }
}

}  // namespace

void linear_backward_parameters::operator()(const cpu_context& context, tensor_view<const float, 2> input,
                                            tensor_view<const float, 2> output_gradient,
                                            tensor_view<float, 2> weight_gradient,
                                            tensor_view<float, 1> bias_gradient) const {
  check_parameters(input, output_gradient, weight_gradient.extents(), bias_gradient.extents());
  const std::int64_t inputs = input.extent(1);
  const std::int64_t outputs = output_gradient.extent(1);
  const detail::weight_gradient_arguments arguments{.input = {input.data(), inputs},
                                                    .output_gradient = {output_gradient.data(), outputs},
                                                    .batch = input.extent(0),
                                                    .weight_gradient = {weight_gradient.data(), outputs},
                                                    .bias_gradient = bias_gradient.data()};
  run_parameters(context, arguments, inputs, outputs);
}

void linear_backward_input::operator()(const cpu_context& context,
                                       tensor_view<const float, 2> output_gradient,
                                       tensor_view<const float, 2> weight,
                                       tensor_view<float, 2> input_gradient) const {
  run_input(context, output_gradient, weight, nullptr, input_gradient);
}

void linear_backward_input::operator()(const cpu_context& context,
                                       tensor_view<const float, 2> output_gradient,
                                       tensor_view<const float, 2> weight, tensor_view<const float, 2> active,
                                       tensor_view<float, 2> input_gradient) const {
  require_same_shape("linear_backward_input", "active", active.extents(), "input_gradient",
                     input_gradient.extents());
  run_input(context, output_gradient, weight, active.data(), input_gradient);
}

void linear_backward_parameters::operator()(const cuda_context& context, tensor_view<const float, 2> input,
                                            tensor_view<const float, 2> output_gradient,
                                            tensor_view<float, 2> weight_gradient,
                                            tensor_view<float, 1> bias_gradient) const {
  check_parameters(input, output_gradient, weight_gradient.extents(), bias_gradient.extents());
  const std::int64_t inputs = input.extent(1);
  const std::int64_t outputs = output_gradient.extent(1);
  const std::int64_t batch = input.extent(0);
  if (outputs == 0) return;
  if (inputs > 0) {
    context.kernels().product(context,
                              {.type = detail::product_type::float32,
                               .left = input.data(),
                               .left_row = 1,
                               .left_depth = inputs,
                               .left_step = 0,
                               .right = output_gradient.data(),
                               .right_stride = outputs,
                               .right_step = 0,
                               .right_transposed = false,
                               .bias = nullptr,
                               .output = weight_gradient.data(),
                               .rows = inputs,
                               .columns = outputs,
                               .depth = batch,
                               .batch = 1,
                               .after = activation::none,
                               .accumulate = false},
                              context.scratch(detail::product_workspace));
  }
  const detail::reduction_run run =
      detail::make_reduction_run(detail::reduction::sum, false, 1, batch, outputs);
  void* const scratch = run.parts == 1 ? nullptr : context.scratch(detail::reduction_scratch(run));
  context.kernels().reduce(context.stream(), run, detail::number::float32, output_gradient.data(),
                           bias_gradient.data(), scratch);
}

void linear_backward_input::operator()(const cuda_context& context,
                                       tensor_view<const float, 2> output_gradient,
                                       tensor_view<const float, 2> weight,
                                       tensor_view<float, 2> input_gradient) const {
  run_input(context, output_gradient, weight, nullptr, input_gradient);
}

void linear_backward_input::operator()(const cuda_context& context,
                                       tensor_view<const float, 2> output_gradient,
                                       tensor_view<const float, 2> weight, tensor_view<const float, 2> active,
                                       tensor_view<float, 2> input_gradient) const {
  require_same_shape("linear_backward_input", "active", active.extents(), "input_gradient",
                     input_gradient.extents());
  run_input(context, output_gradient, weight, active.data(), input_gradient);
}

}  // namespace weft
