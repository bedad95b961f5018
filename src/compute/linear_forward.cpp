#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <compute/thin_product.hpp>
#include <weft/compute/kernels/linear_forward.hpp>

namespace weft {
namespace {

void check(const shape<2>& input, const shape<2>& weight, const shape<1>& bias, const shape<2>& output) {
  if (input[1] != weight[0]) {
    throw shape_error("linear_forward: input has shape " + to_string(input) + " but weight has shape " +
                      to_string(weight) + ": input's columns must be weight's rows");
  }
  require_same_shape("linear_forward", "bias", bias, "one row of the output", shape<1>{weight[1]});
  require_same_shape("linear_forward", "output", output, "input * weight", shape<2>{input[0], weight[1]});
}

}  // namespace

void linear_forward::operator()(const cpu_context& context, tensor_view<const float, 2> input,
                                tensor_view<const float, 2> weight, tensor_view<const float, 1> bias,
                                tensor_view<float, 2> output) const {
  const std::int64_t batch = input.extent(0);
  const std::int64_t inputs = weight.extent(0);
  const std::int64_t outputs = weight.extent(1);
  check(input.extents(), weight.extents(), bias.extents(), output.extents());
  const detail::product_arguments product{.left = input.data(),
                                          .left_row = inputs,
                                          .left_depth = 1,
                                          .right = {weight.data(), outputs},
                                          .right_transposed = false,
                                          .bias = bias.data(),
                                          .output = {output.data(), outputs},
                                          .depth = inputs,
                                          .after = after,
                                          .accumulate = false};
  if (detail::run_thin_product(context, product, batch, outputs)) return;
  if (after == activation::gelu) {
    detail::run_tiles(context, detail::kernels_of(context.level()).product, product, batch, outputs, inputs,
                      detail::tile_order::down_columns);
    return;
  }
  const detail::linear_forward_arguments arguments{.input = {input.data(), inputs},
                                                   .weight = {weight.data(), outputs},
                                                   .bias = bias.data(),
                                                   .output = {output.data(), outputs},
                                                   .inputs = inputs,
                                                   .relu = after == activation::relu};
  detail::run_tiles(context, detail::kernels_of(context.level()).linear_forward, arguments, batch, outputs,
                    inputs, detail::tile_order::down_columns);
}

void linear_forward::operator()(const cuda_context& context, tensor_view<const float, 2> input,
                                tensor_view<const float, 2> weight, tensor_view<const float, 1> bias,
                                tensor_view<float, 2> output) const {
  check(input.extents(), weight.extents(), bias.extents(), output.extents());
  if (output.empty()) return;
  const std::int64_t inputs = weight.extent(0);
  const std::int64_t outputs = weight.extent(1);
  context.kernels().product(context,
                            {.type = detail::product_type::float32,
                             .left = input.data(),
                             .left_row = inputs,
                             .left_depth = 1,
                             .left_step = 0,
                             .right = weight.data(),
                             .right_stride = outputs,
                             .right_step = 0,
                             .right_transposed = false,
                             .bias = bias.data(),
                             .output = output.data(),
                             .rows = input.extent(0),
                             .columns = outputs,
                             .depth = inputs,
                             .batch = 1,
                             .after = after,
                             .accumulate = false},
                            context.scratch(detail::product_workspace));
}

}  // namespace weft
