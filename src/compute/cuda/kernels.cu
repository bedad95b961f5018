#include <compute/cuda_kernel_table.hpp>

namespace weft::detail {

const cuda_kernel_table& cuda_kernels() noexcept {
  static constexpr cuda_kernel_table kernels{};
  return kernels;
}

}  // namespace weft::detail
