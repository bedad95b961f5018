#include <compute/cuda_kernel_table.hpp>

namespace weft::detail {

const cuda_kernel_table& cuda_kernels() noexcept {
  static constexpr cuda_kernel_table kernels{.binary = gpu::binary,
                                             .unary = gpu::unary,
                                             .mask = gpu::mask,
                                             .product = gpu::product,
                                             .reduce = gpu::reduce,
                                             .softmax = gpu::softmax,
                                             .softmax_backward = gpu::softmax_backward,
                                             .layer_norm = gpu::layer_norm,
                                             .layer_norm_backward = gpu::layer_norm_backward,
                                             .cross_entropy = gpu::cross_entropy,
                                             .adam = gpu::adam,
                                             .sgd = gpu::sgd,
                                             .squares_needed = gpu::squares_needed,
                                             .sum_of_squares = gpu::sum_of_squares,
                                             .scale = gpu::scale,
                                             .random = gpu::random,
                                             .normalize = gpu::normalize,
                                             .normalize_images = gpu::normalize_images,
                                             .find_bad_row = gpu::find_bad_row,
                                             .gather = gpu::gather,
                                             .max_pool = gpu::max_pool,
                                             .max_pool_backward = gpu::max_pool_backward,
                                             .average_pool = gpu::average_pool,
                                             .average_pool_backward = gpu::average_pool_backward,
                                             .gather_patches = gpu::gather_patches,
                                             .scatter_patches = gpu::scatter_patches,
                                             .fill_channels = gpu::fill_channels,
                                             .sum_channels = gpu::sum_channels,
                                             .add_arrays = gpu::add_arrays};
  return kernels;
}

}  // namespace weft::detail
