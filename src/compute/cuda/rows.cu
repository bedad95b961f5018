#include <compute/cuda/team.cuh>
#include <compute/cuda_kernel_table.hpp>

#include <limits>  // for std::numeric_limits

// Kernels of rows: softmax, layer norm, cross-entropy.

namespace weft::detail {
namespace {

constexpr float below_all = -std::numeric_limits<float>::infinity();

template <int Threads, int Kept>
__global__ void softmax_kernel(softmax_arguments arguments, std::int64_t rows) {
  using team = detail::team<Threads>;
  for (std::int64_t row = team::first_row(); row < rows; row += team::row_step()) {
    const row_part<Threads, Kept> input(arguments.input.data + row * arguments.input.stride,
                                        arguments.columns);
    float* const output = arguments.output.data + row * arguments.output.stride;
    float largest = below_all;
    input.for_each([&](std::int64_t, float x) { largest = fmaxf(largest, x); });
    largest = team::join(largest, larger{});
    float sum = 0.0F;
    input.for_each([&](std::int64_t, float x) { sum += expf(x - largest); });
    sum = team::join(sum, plus{});
    if (arguments.logarithm) {
      const float shift = logf(sum);
      input.for_each([&](std::int64_t column, float x) { output[column] = (x - largest) - shift; });
    } else {
      const float scale = 1.0F / sum;
      input.for_each([&](std::int64_t column, float x) { output[column] = expf(x - largest) * scale; });
    }
  }
}

template <int Threads, int Kept>
__global__ void softmax_backward_kernel(softmax_backward_arguments arguments, std::int64_t rows) {
  using team = detail::team<Threads>;
  for (std::int64_t row = team::first_row(); row < rows; row += team::row_step()) {
    const row_part<Threads, Kept> output(arguments.output.data + row * arguments.output.stride,
                                         arguments.columns);
    const float* const gradient = arguments.output_gradient.data + row * arguments.output_gradient.stride;
    float* const result = arguments.input_gradient.data + row * arguments.input_gradient.stride;
    float dot = 0.0F;
    output.for_each([&](std::int64_t column, float y) { dot += y * __ldg(gradient + column); });
    dot = team::join(dot, plus{});
    output.for_each(
        [&](std::int64_t column, float y) { result[column] = y * (__ldg(gradient + column) - dot); });
  }
}

template <int Threads, int Kept>
__global__ void layer_norm_kernel(layer_norm_arguments arguments, std::int64_t rows) {
  using team = detail::team<Threads>;
  const float count = static_cast<float>(arguments.columns);
  for (std::int64_t row = team::first_row(); row < rows; row += team::row_step()) {
    const row_part<Threads, Kept> input(arguments.input.data + row * arguments.input.stride,
                                        arguments.columns);
    float* const output = arguments.output.data + row * arguments.output.stride;
    float sum = 0.0F;
    input.for_each([&](std::int64_t, float x) { sum += x; });
    const float mean = team::join(sum, plus{}) / count;
    float squares = 0.0F;
    input.for_each([&](std::int64_t, float x) { squares += (x - mean) * (x - mean); });
    const float variance = team::join(squares, plus{}) / count;
    const float inverse = 1.0F / sqrtf(variance + arguments.epsilon);
    input.for_each([&](std::int64_t column, float x) {
      output[column] =
          (x - mean) * inverse * __ldg(arguments.scale + column) + __ldg(arguments.shift + column);
    });
    if (team::index() == 0) {
      arguments.mean[row] = mean;
      arguments.inverse_deviation[row] = inverse;
    }
  }
}

template <int Threads, int Kept>
__global__ void layer_norm_backward_kernel(layer_norm_backward_arguments arguments, std::int64_t rows) {
  using team = detail::team<Threads>;
  const float count = static_cast<float>(arguments.columns);
  for (std::int64_t row = team::first_row(); row < rows; row += team::row_step()) {
    const row_part<Threads, Kept> input(arguments.input.data + row * arguments.input.stride,
                                        arguments.columns);
    const float* const gradient = arguments.output_gradient.data + row * arguments.output_gradient.stride;
    float* const result = arguments.input_gradient.data + row * arguments.input_gradient.stride;
    const float mean = arguments.mean[row];
    const float inverse = arguments.inverse_deviation[row];
    float sum = 0.0F;
    float dot = 0.0F;
    input.for_each([&](std::int64_t column, float x) {
      const float scaled = __ldg(gradient + column) * __ldg(arguments.scale + column);
      sum += scaled;
      dot += scaled * ((x - mean) * inverse);
    });
    sum = team::join(sum, plus{}) / count;
    dot = team::join(dot, plus{}) / count;
    input.for_each([&](std::int64_t column, float x) {
      const float scaled = __ldg(gradient + column) * __ldg(arguments.scale + column);
      result[column] = (scaled - sum - (x - mean) * inverse * dot) * inverse;
    });
  }
}

// A block takes 32 columns; its warps take the rows in turns, and their sums are joined in order.
__global__ void layer_norm_parameters_kernel(layer_norm_backward_arguments arguments, float* scale_gradient,
                                             float* shift_gradient, std::int64_t rows) {
  __shared__ float scales[block_warps][warp_threads];
  __shared__ float shifts[block_warps][warp_threads];
  const int lane = threadIdx.x % warp_threads;
  const int warp = threadIdx.x / warp_threads;
  const std::int64_t groups = (arguments.columns + warp_threads - 1) / warp_threads;
  for (std::int64_t group = blockIdx.x; group < groups; group += gridDim.x) {
    const std::int64_t column = group * warp_threads + lane;
    float scale = 0.0F;
    float shift = 0.0F;
    if (column < arguments.columns) {
      for (std::int64_t row = warp; row < rows; row += block_warps) {
        const float gradient =
            arguments.output_gradient.data[row * arguments.output_gradient.stride + column];
        const float x = arguments.input.data[row * arguments.input.stride + column];
        scale += gradient * ((x - arguments.mean[row]) * arguments.inverse_deviation[row]);
        shift += gradient;
      }
    }
    scales[warp][lane] = scale;
    shifts[warp][lane] = shift;
    __syncthreads();
    if (warp == 0 && column < arguments.columns) {
      for (int other = 1; other < block_warps; ++other) {
        scale += scales[other][lane];
        shift += shifts[other][lane];
      }
      scale_gradient[column] = scale;
      shift_gradient[column] = shift;
    }
    __syncthreads();
  }
}

// A label that is out of range gives a loss that is not a number.
template <int Threads, int Kept>
__global__ void cross_entropy_kernel(cross_entropy_arguments arguments, std::int64_t rows) {
  using team = detail::team<Threads>;
  for (std::int64_t row = team::first_row(); row < rows; row += team::row_step()) {
    const float* const logits = arguments.logits.data + row * arguments.logits.stride;
    const row_part<Threads, Kept> part(logits, arguments.classes);
    float largest = below_all;
    part.for_each([&](std::int64_t, float x) { largest = fmaxf(largest, x); });
    largest = team::join(largest, larger{});
    float sum = 0.0F;
    part.for_each([&](std::int64_t, float x) { sum += expf(x - largest); });
    sum = team::join(sum, plus{});
    const std::int64_t label = arguments.labels[row];
    if (team::index() == 0) {
      const bool known = label >= 0 && label < arguments.classes;
      arguments.losses[row] = known ? logf(sum) + (largest - logits[label]) : nanf("");
    }
    if (arguments.gradient.data == nullptr) continue;
    float* const gradient = arguments.gradient.data + row * arguments.gradient.stride;
    const float scale = arguments.scale / sum;
    part.for_each([&](std::int64_t column, float x) {
      gradient[column] = expf(x - largest) * scale - (column == label ? arguments.scale : 0.0F);
    });
  }
}

__global__ void mean_kernel(const float* values, std::int64_t count, double* mean) {
  double sum = 0.0;
  for (std::int64_t index = threadIdx.x; index < count; index += block_threads) {
    sum += static_cast<double>(values[index]);
  }
  sum = across_block(sum, plus{});
  if (threadIdx.x == 0) *mean = sum / static_cast<double>(count);
}

struct softmax_rows {
  template <int Threads, int Kept>
  static auto kernel() {
    return softmax_kernel<Threads, Kept>;
  }
};
struct softmax_backward_rows {
  template <int Threads, int Kept>
  static auto kernel() {
    return softmax_backward_kernel<Threads, Kept>;
  }
};
struct layer_norm_rows {
  template <int Threads, int Kept>
  static auto kernel() {
    return layer_norm_kernel<Threads, Kept>;
  }
};
struct layer_norm_backward_rows {
  template <int Threads, int Kept>
  static auto kernel() {
    return layer_norm_backward_kernel<Threads, Kept>;
  }
};
struct cross_entropy_rows {
  template <int Threads, int Kept>
  static auto kernel() {
    return cross_entropy_kernel<Threads, Kept>;
  }
};

}  // namespace

void gpu::softmax(CUstream_st* stream, const softmax_arguments& arguments, std::int64_t rows) {
  launch_rows<softmax_rows>("softmax kernel", stream, rows, arguments.columns, arguments);
}

void gpu::softmax_backward(CUstream_st* stream, const softmax_backward_arguments& arguments,
                           std::int64_t rows) {
  launch_rows<softmax_backward_rows>("softmax_backward kernel", stream, rows, arguments.columns, arguments);
}

void gpu::layer_norm(CUstream_st* stream, const layer_norm_arguments& arguments, std::int64_t rows) {
  launch_rows<layer_norm_rows>("layer_norm kernel", stream, rows, arguments.columns, arguments);
}

void gpu::layer_norm_backward(CUstream_st* stream, const layer_norm_backward_arguments& arguments,
                              float* scale_gradient, float* shift_gradient, std::int64_t rows) {
  if (rows > 0) {
    launch_rows<layer_norm_backward_rows>("layer_norm_backward kernel", stream, rows, arguments.columns,
                                          arguments);
  }
  launch("layer_norm_backward kernel", stream,
         one_block_for_each((arguments.columns + warp_threads - 1) / warp_threads),
         layer_norm_parameters_kernel, arguments, scale_gradient, shift_gradient, rows);
}

void gpu::cross_entropy(CUstream_st* stream, const cross_entropy_arguments& arguments, std::int64_t rows,
                        double* mean) {
  launch_rows<cross_entropy_rows>("cross_entropy kernel", stream, rows, arguments.classes, arguments);
  launch("cross_entropy kernel", stream, 1, mean_kernel, arguments.losses, rows, mean);
}

}  // namespace weft::detail
