#pragma once

#include <compute/kernel_table.hpp>

#include <algorithm>  // for std::clamp
#include <cstddef>    // for std::size_t
#include <cstdint>    // for std::int64_t

struct CUstream_st;  // what cudaStream_t points to

namespace weft {
class cuda_context;
}

namespace weft::detail {

/// A bfloat16 as it lies in memory, for nvcc.
struct bfloat16_bits {
  std::uint16_t bits;
};

/// A half as it lies in memory, for nvcc.
struct half_bits {
  std::uint16_t bits;
};

/// What a product multiplies, and how precisely.
enum class product_type {
  float32,   ///< floats
  tf32,      ///< floats, rounded to 11 bits before they are multiplied
  bfloat16,  ///< bfloat16s, added up as floats
  half       ///< halves, added up as floats
};

/// output = after(left * right + bias), or output + left * right, of a batch of matrices.
struct device_product {
  product_type type;
  const void* left;  // element (row, depth) at row * left_row + depth * left_depth, one of which is 1
  std::int64_t left_row, left_depth, left_step;  // step: from a matrix of the batch to the next
  const void* right;                             // [depth, columns], or its transpose
  std::int64_t right_stride, right_step;
  bool right_transposed;
  const void* bias;  // [columns], for each matrix the same; null for none
  void* output;      // dense
  std::int64_t rows, columns, depth, batch;
  activation after;
  bool accumulate;
};

/// The device memory that a product may use for itself.
inline constexpr std::size_t product_workspace = std::size_t{32} << 20;  // what NVIDIA recommends for Hopper

/// A reduction of an array [outer, count, inner] along the middle, in parts that the shape alone decides.
struct reduction_run {
  reduction operation;
  bool mean;
  std::int64_t outer, count, inner, parts;
};

/// No type's part of a reduction is larger.
inline constexpr std::size_t largest_part = 16;

/// How a reduction is cut into parts: into enough for all processors of a GPU, and each large enough.
inline reduction_run make_reduction_run(reduction operation, bool mean, std::int64_t outer,
                                        std::int64_t count, std::int64_t inner) {
  constexpr std::int64_t tasks = 1024;
  const std::int64_t least = inner == 1 ? 8192 : 128;
  const std::int64_t without = inner == 1 ? outer : outer * ((inner + 31) / 32);
  const std::int64_t wanted = without == 0 ? 1 : tasks / without;
  return {operation, mean,  outer,
          count,     inner, std::clamp<std::int64_t>(wanted, 1, std::max<std::int64_t>(1, count / least))};
}

/// The device memory that a reduction needs.
inline std::size_t reduction_scratch(const reduction_run& run) {
  return run.parts == 1 ? 0 : static_cast<std::size_t>(run.outer * run.inner * run.parts) * largest_part;
}

/// Images and the window of a convolution over them.
struct patch_shape {
  std::int64_t channels;
  window moving;

  /// The matrix of an image's patches: a row for each element of the weight, a column for each output.
  constexpr std::int64_t rows() const { return channels * moving.kernel_height * moving.kernel_width; }
  constexpr std::int64_t columns() const { return moving.out_height * moving.out_width; }
};

// The kernels of src/compute/cuda/: each enqueues its work on a stream and throws cuda_error if it cannot.
// Pointers are to the device's memory; what describes a launch (arrays of extents, strides, arrays and sizes,
// the coefficients) is the host's. None is called for no elements.
namespace gpu {

void binary(CUstream_st*, binary_operation, number, const void* left, const void* right, void* output,
            int rank, const std::int64_t* extents, const std::int64_t* left_strides,
            const std::int64_t* right_strides);
void unary(CUstream_st*, unary_operation, const float* input, float* output, std::int64_t count);
/// Sets to 0 what is not active, above 0.
void mask(CUstream_st*, const float* active, float* values, std::int64_t count);
/// Adds the bias, if there is one, and applies the activation, in place.
void finish_product(CUstream_st*, product_type, void* output, const void* bias, std::int64_t columns,
                    std::int64_t count, activation after);
/// By cuBLASLt. @param workspace of product_workspace bytes
void product(const cuda_context&, const device_product&, void* workspace);

/// @param scratch of reduction_scratch() bytes
void reduce(CUstream_st*, const reduction_run&, number, const void* input, void* output, void* scratch);

void softmax(CUstream_st*, const softmax_arguments&, std::int64_t rows);
void softmax_backward(CUstream_st*, const softmax_backward_arguments&, std::int64_t rows);
void layer_norm(CUstream_st*, const layer_norm_arguments&, std::int64_t rows);
/// The parameters' gradients also if there are no rows.
void layer_norm_backward(CUstream_st*, const layer_norm_backward_arguments&, float* scale_gradient,
                         float* shift_gradient, std::int64_t rows);
/// @param mean one number of the device's memory, the mean of the losses
void cross_entropy(CUstream_st*, const cross_entropy_arguments&, std::int64_t rows, double* mean);

void adam(CUstream_st*, const adam_arguments* arrays, const std::int64_t* sizes, std::int64_t count,
          const adam_coefficients&);
void sgd(CUstream_st*, const sgd_arguments* arrays, const std::int64_t* sizes, std::int64_t count);
/// How many doubles sum_of_squares() needs.
std::int64_t squares_needed(const std::int64_t* sizes, std::int64_t count);
/// The sum over all arrays, into the first of sums.
void sum_of_squares(CUstream_st*, float* const* arrays, const std::int64_t* sizes, std::int64_t count,
                    double* sums);
void scale(CUstream_st*, float* const* arrays, const std::int64_t* sizes, std::int64_t count, float factor);

void random(CUstream_st*, const random_arguments&, std::int64_t count);
void normalize(CUstream_st*, const normalize_arguments&, std::int64_t rows);
void normalize_images(CUstream_st*, const std::uint8_t* pixels, float* output, std::int64_t images,
                      std::int64_t pixel_count, std::int64_t channels, const float* scale,
                      const float* shift);
/// The place of the first row outside [0, limit), or -1, into result.
void find_bad_row(CUstream_st*, const std::int64_t* rows, std::int64_t count, std::int64_t limit,
                  std::int64_t* result);
void gather(CUstream_st*, const void* source, std::int64_t row_bytes, const std::int64_t* rows,
            std::int64_t row_count, void* output);

void max_pool(CUstream_st*, const window&, const float* input, float* output, std::int32_t* where,
              std::int64_t planes);
/// @param results of a plane
void max_pool_backward(CUstream_st*, const float* output_gradient, const std::int32_t* where,
                       float* input_gradient, std::int64_t results, std::int64_t plane_size,
                       std::int64_t planes);
void average_pool(CUstream_st*, const window&, const float* input, float* output, std::int64_t planes);
void average_pool_backward(CUstream_st*, const window&, const float* output_gradient, float* input_gradient,
                           std::int64_t planes);

void gather_patches(CUstream_st*, const patch_shape&, const float* images, float* patches,
                    std::int64_t image_count);
/// Adds the patches up; overwrites the images.
void scatter_patches(CUstream_st*, const patch_shape&, const float* patches, float* images,
                     std::int64_t image_count);
/// Each plane becomes its channel's value.
void fill_channels(CUstream_st*, const float* values, float* planes, std::int64_t images,
                   std::int64_t channels, std::int64_t plane_size);
void sum_channels(CUstream_st*, const float* planes, float* sums, std::int64_t images, std::int64_t channels,
                  std::int64_t plane_size);
/// sum = [sum +] the arrays, which lie one after the other.
void add_arrays(CUstream_st*, const float* arrays, std::int64_t count, float* sum, bool accumulate,
                std::int64_t size);

}  // namespace gpu

/// The kernels above as a program without CUDA knows them.
struct cuda_kernel_table {
  decltype(&gpu::binary) binary;
  decltype(&gpu::unary) unary;
  decltype(&gpu::mask) mask;
  decltype(&gpu::product) product;
  decltype(&gpu::reduce) reduce;
  decltype(&gpu::softmax) softmax;
  decltype(&gpu::softmax_backward) softmax_backward;
  decltype(&gpu::layer_norm) layer_norm;
  decltype(&gpu::layer_norm_backward) layer_norm_backward;
  decltype(&gpu::cross_entropy) cross_entropy;
  decltype(&gpu::adam) adam;
  decltype(&gpu::sgd) sgd;
  decltype(&gpu::squares_needed) squares_needed;
  decltype(&gpu::sum_of_squares) sum_of_squares;
  decltype(&gpu::scale) scale;
  decltype(&gpu::random) random;
  decltype(&gpu::normalize) normalize;
  decltype(&gpu::normalize_images) normalize_images;
  decltype(&gpu::find_bad_row) find_bad_row;
  decltype(&gpu::gather) gather;
  decltype(&gpu::max_pool) max_pool;
  decltype(&gpu::max_pool_backward) max_pool_backward;
  decltype(&gpu::average_pool) average_pool;
  decltype(&gpu::average_pool_backward) average_pool_backward;
  decltype(&gpu::gather_patches) gather_patches;
  decltype(&gpu::scatter_patches) scatter_patches;
  decltype(&gpu::fill_channels) fill_channels;
  decltype(&gpu::sum_channels) sum_channels;
  decltype(&gpu::add_arrays) add_arrays;
};

const cuda_kernel_table& cuda_kernels() noexcept;

}  // namespace weft::detail
