#pragma once

namespace weft::detail {

/// The kernels of src/compute/cuda/.
struct cuda_kernel_table {};

const cuda_kernel_table& cuda_kernels() noexcept;

}  // namespace weft::detail
