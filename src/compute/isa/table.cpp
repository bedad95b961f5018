#include <compute/isa/arithmetic.hpp>
#include <compute/isa/convolution.hpp>
#include <compute/isa/elementwise.hpp>
#include <compute/isa/linear.hpp>
#include <compute/isa/product.hpp>
#include <compute/isa/reduction.hpp>
#include <compute/isa/rows.hpp>
#include <compute/isa/thin_product.hpp>
#include <compute/isa/winograd.hpp>

namespace weft::detail::WEFT_ISA {

extern const kernel_table kernels;
const kernel_table kernels{.linear_forward = linear_forward,
                           .weight_gradient = weight_gradient,
                           .input_gradient = input_gradient,
                           .cross_entropy = cross_entropy,
                           .normalize = normalize,
                           .mask = mask,
                           .adam = adam,
                           .product = product,
                           .thin_product = thin_product,
                           .pack_right = pack_right,
                           .large_product = large_product,
                           .convolve = convolve,
                           .correlate = correlate,
                           .winograd_weight = winograd_weight,
                           .winograd_input = winograd_input,
                           .winograd_product = winograd_product,
                           .winograd_output = winograd_output,
                           .winograd_gradient = winograd_gradient,
                           .winograd_weight_gradient = winograd_weight_gradient,
                           .binary = binary,
                           .unary = unary,
                           .reduce_rows = reduce_rows,
                           .reduce_columns = reduce_columns,
                           .sum_of_squares = sum_of_squares,
                           .softmax = softmax,
                           .softmax_backward = softmax_backward,
                           .layer_norm = layer_norm,
                           .layer_norm_backward = layer_norm_backward,
                           .layer_norm_parameters = layer_norm_parameters,
                           .sgd = sgd,
                           .normalize_image = normalize_image,
                           .max_pool = max_pool,
                           .average_pool = average_pool,
                           .random = random};

}  // namespace weft::detail::WEFT_ISA
