#include <compute/dispatch.hpp>
#include <weft/compute/kernels/linear_forward.hpp>

namespace weft {

void linear_forward::operator()(const cpu_context& context, tensor_view<const float, 2> input,
                                tensor_view<const float, 2> weight, tensor_view<const float, 1> bias,
                                tensor_view<float, 2> output) const {
  const std::int64_t batch = input.extent(0);
  const std::int64_t inputs = weight.extent(0);
  const std::int64_t outputs = weight.extent(1);
  if (input.extent(1) != inputs) {
    throw shape_error("linear_forward: input has shape " + to_string(input.extents()) +
                      " but weight has shape " + to_string(weight.extents()) +
                      ": input's columns must be weight's rows");
  }
  require_same_shape("linear_forward", "bias", bias.extents(), "one row of the output", shape<1>{outputs});
  require_same_shape("linear_forward", "output", output.extents(), "input * weight",
                     shape<2>{batch, outputs});
  if (after == activation::gelu) {
    const detail::product_arguments arguments{.left = input.data(),
                                              .left_row = inputs,
                                              .left_depth = 1,
                                              .right = {weight.data(), outputs},
                                              .right_transposed = false,
                                              .bias = bias.data(),
                                              .output = {output.data(), outputs},
                                              .depth = inputs,
                                              .after = after,
                                              .accumulate = false};
    detail::run_tiles(context, detail::kernels_of(context.level()).product, arguments, batch, outputs, inputs,
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

}  // namespace weft
