#pragma once

#include <compute/kernel_table.hpp>

#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::int64_t

struct CUstream_st;  // what cudaStream_t points to

namespace weft {
class cuda_context;
}

namespace weft::detail {

/// The kernels of src/compute/cuda/: each enqueues its work on a stream and throws cuda_error if it cannot.
/// Pointers are to the device's memory; arrays of extents and strides are the host's.
struct cuda_kernel_table {
  void (*binary)(CUstream_st*, binary_operation, number, const void* left, const void* right, void* output,
                 int rank, const std::int64_t* extents, const std::int64_t* left_strides,
                 const std::int64_t* right_strides);
  void (*unary)(CUstream_st*, unary_operation, const float* input, float* output, std::int64_t count);
  void (*reduce)(CUstream_st*, reduction, number, bool mean, const void* input, void* output,
                 std::int64_t outer, std::int64_t count, std::int64_t inner);
  void (*product)(const cuda_context&, const product_arguments&, std::int64_t rows, std::int64_t columns,
                  std::int64_t batch, std::int64_t left_step, std::int64_t right_step);
  void (*layer_norm)(CUstream_st*, const float* input, const float* scale, const float* shift, float* output,
                     float* mean, float* inverse_deviation, std::int64_t rows, std::int64_t columns,
                     float epsilon);
  void (*cross_entropy)(CUstream_st*, const cross_entropy_arguments&, std::int64_t rows);
  void (*adam)(CUstream_st*, const adam_arguments&, std::int64_t count);
  void (*random)(CUstream_st*, const random_arguments&, std::int64_t count);
  void (*normalize_images)(CUstream_st*, const std::uint8_t* pixels, float* output, std::int64_t images,
                           std::int64_t pixel_count, std::int64_t channels, const float* scale,
                           const float* shift);
};

const cuda_kernel_table& cuda_kernels() noexcept;

}  // namespace weft::detail
