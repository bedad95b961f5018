#include <compute/cuda/check.hpp>
#include <compute/cuda/product.hpp>
#include <compute/cuda_kernel_table.hpp>

#include <cstring>  // for std::memcpy

// The GPU's kernels. What is computed element by element is written as functors; reductions of a row are done
// by one block in a fixed order of its threads, so that equal inputs give equal bits.

namespace weft::detail {
namespace {

constexpr int block_threads = 256;
constexpr int most_axes = 8;

void check_launch(const char* name) {
  check_cuda(cudaGetLastError(), name);
}

unsigned blocks_for(std::int64_t count) {
  constexpr std::int64_t most_blocks = 1 << 16;  // each thread takes several elements above that
  const std::int64_t blocks = (count + block_threads - 1) / block_threads;
  return static_cast<unsigned>(blocks < most_blocks ? blocks : most_blocks);
}

// Rows go to blocks; there may be more of them than a grid has blocks.
unsigned blocks_for_rows(std::int64_t rows) {
  constexpr std::int64_t most_blocks = 1 << 20;
  return static_cast<unsigned>(rows < most_blocks ? rows : most_blocks);
}

// Elementwise
// ------------------------------------------------------------------------------------------------

struct broadcast_axes {
  int rank;
  std::int64_t extents[most_axes];
  std::int64_t left[most_axes];
  std::int64_t right[most_axes];
};

template <class T>
__device__ T apply(binary_operation operation, T a, T b) {
  switch (operation) {
    case binary_operation::add:
      return a + b;
    case binary_operation::subtract:
      return a - b;
    case binary_operation::multiply:
      return a * b;
    case binary_operation::divide:
      return a / b;
    case binary_operation::maximum:
      return a > b || a != a ? a : b;
    default:
      return a < b || a != a ? a : b;
  }
}

template <class T>
__global__ void binary_kernel(binary_operation operation, const T* left, const T* right, T* output,
                              broadcast_axes axes, std::int64_t count) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; index < count;
       index += step) {
    std::int64_t rest = index;
    std::int64_t left_offset = 0;
    std::int64_t right_offset = 0;
    for (int axis = axes.rank - 1; axis > 0; --axis) {
      const std::int64_t at = rest % axes.extents[axis];
      rest /= axes.extents[axis];
      left_offset += at * axes.left[axis];
      right_offset += at * axes.right[axis];
    }
    left_offset += rest * axes.left[0];
    right_offset += rest * axes.right[0];
    output[index] = apply(operation, left[left_offset], right[right_offset]);
  }
}

template <class T>
void launch_binary(CUstream_st* stream, binary_operation operation, const void* left, const void* right,
                   void* output, const broadcast_axes& axes, std::int64_t count) {
  binary_kernel<T><<<blocks_for(count), block_threads, 0, stream>>>(operation, static_cast<const T*>(left),
                                                                    static_cast<const T*>(right),
                                                                    static_cast<T*>(output), axes, count);
}

void binary(CUstream_st* stream, binary_operation operation, number type, const void* left, const void* right,
            void* output, int rank, const std::int64_t* extents, const std::int64_t* left_strides,
            const std::int64_t* right_strides) {
  broadcast_axes axes{};
  axes.rank = rank;
  std::int64_t count = 1;
  for (int axis = 0; axis < rank; ++axis) {
    axes.extents[axis] = extents[axis];
    axes.left[axis] = left_strides[axis];
    axes.right[axis] = right_strides[axis];
    count *= extents[axis];
  }
  switch (type) {
    case number::float32:
      launch_binary<float>(stream, operation, left, right, output, axes, count);
      break;
    case number::float64:
      launch_binary<double>(stream, operation, left, right, output, axes, count);
      break;
    case number::int32:
      launch_binary<std::int32_t>(stream, operation, left, right, output, axes, count);
      break;
    case number::int64:
      launch_binary<std::int64_t>(stream, operation, left, right, output, axes, count);
      break;
  }
  check_launch("elementwise kernel");
}

__device__ float gelu_of(float x) {
  return x * normcdff(x);
}

__device__ float apply(unary_operation operation, float x) {
  switch (operation) {
    case unary_operation::negate:
      return -x;
    case unary_operation::absolute:
      return fabsf(x);
    case unary_operation::square:
      return x * x;
    case unary_operation::square_root:
      return sqrtf(x);
    case unary_operation::exponential:
      return expf(x);
    case unary_operation::logarithm:
      return logf(x);
    case unary_operation::tanh:
      return tanhf(x);
    case unary_operation::sigmoid:
      return 1.0F / (1.0F + expf(-x));
    case unary_operation::relu:
      return x < 0.0F ? 0.0F : x;
    default:
      return gelu_of(x);
  }
}

__global__ void unary_kernel(unary_operation operation, const float* input, float* output,
                             std::int64_t count) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; index < count;
       index += step) {
    output[index] = apply(operation, input[index]);
  }
}

void unary(CUstream_st* stream, unary_operation operation, const float* input, float* output,
           std::int64_t count) {
  unary_kernel<<<blocks_for(count), block_threads, 0, stream>>>(operation, input, output, count);
  check_launch("elementwise kernel");
}

// Reductions
// -------------------------------------------------------------------------------------------------

// What a block's threads found, combined in a tree whose shape never changes. Every thread gets the result.
template <class T, class Combine>
__device__ T across_block(T value, const Combine& combine) {
  __shared__ alignas(16) unsigned char memory[block_threads * sizeof(T)];
  T* shared = reinterpret_cast<T*>(memory);
  __syncthreads();  // an earlier use of the memory is over
  shared[threadIdx.x] = value;
  __syncthreads();
  for (int width = block_threads / 2; width > 0; width /= 2) {
    if (threadIdx.x < width) shared[threadIdx.x] = combine(shared[threadIdx.x], shared[threadIdx.x + width]);
    __syncthreads();
  }
  return shared[0];
}

struct plus {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};

template <class T>
struct located_value {
  T value;
  std::int64_t index;  // -1: none yet
};

// The larger one, the first of equals; what is not a number is larger than every number.
struct first_largest {
  template <class T>
  __device__ located_value<T> operator()(located_value<T> a, located_value<T> b) const {
    if (b.index < 0) return a;
    if (a.index < 0) return b;
    const bool above = b.value > a.value || (b.value != b.value && a.value == a.value);
    const bool below = a.value > b.value || (a.value != a.value && b.value == b.value);
    if (above != below) return above ? b : a;
    return a.index < b.index ? a : b;
  }
};

template <class T>
struct sum_type {
  using type = double;
};
template <>
struct sum_type<std::int32_t> {
  using type = std::int64_t;
};
template <>
struct sum_type<std::int64_t> {
  using type = std::int64_t;
};

// One block makes one result: elements `inner` apart.
template <class T>
__global__ void reduce_kernel(reduction operation, bool mean, const T* input, void* output,
                              std::int64_t results, std::int64_t count, std::int64_t inner) {
  using sum = typename sum_type<T>::type;
  for (std::int64_t result = blockIdx.x; result < results; result += gridDim.x) {
    const T* first = input + result / inner * count * inner + result % inner;
    if (operation == reduction::sum) {
      sum total = 0;
      for (std::int64_t k = threadIdx.x; k < count; k += block_threads)
        total += static_cast<sum>(first[k * inner]);
      total = across_block(total, plus{});
      if (mean) total = total / static_cast<sum>(count);
      if (threadIdx.x == 0) static_cast<T*>(output)[result] = static_cast<T>(total);
    } else {
      located_value<T> best{T{}, -1};
      for (std::int64_t k = threadIdx.x; k < count; k += block_threads) {
        best = first_largest{}(best, located_value<T>{first[k * inner], k});
      }
      best = across_block(best, first_largest{});
      if (threadIdx.x == 0) {
        if (operation == reduction::argmax) {
          static_cast<std::int64_t*>(output)[result] = best.index;
        } else {
          static_cast<T*>(output)[result] = best.value;
        }
      }
    }
  }
}

void reduce(CUstream_st* stream, reduction operation, number type, bool mean, const void* input, void* output,
            std::int64_t outer, std::int64_t count, std::int64_t inner) {
  const std::int64_t results = outer * inner;
  const unsigned blocks = blocks_for_rows(results);
  const auto launch = [&](auto zero) {
    using T = decltype(zero);
    reduce_kernel<T><<<blocks, block_threads, 0, stream>>>(operation, mean, static_cast<const T*>(input),
                                                           output, results, count, inner);
  };
  switch (type) {
    case number::float32:
      launch(float{});
      break;
    case number::float64:
      launch(double{});
      break;
    case number::int32:
      launch(std::int32_t{});
      break;
    case number::int64:
      launch(std::int64_t{});
      break;
  }
  check_launch("reduction kernel");
}

// Rows
// -------------------------------------------------------------------------------------------------------

__global__ void layer_norm_kernel(const float* input, const float* scale, const float* shift, float* output,
                                  float* means, float* inverses, std::int64_t rows, std::int64_t columns,
                                  float epsilon) {
  for (std::int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const float* from = input + row * columns;
    float sum = 0.0F;
    for (std::int64_t k = threadIdx.x; k < columns; k += block_threads) sum += from[k];
    const float mean = across_block(sum, plus{}) / static_cast<float>(columns);
    float squares = 0.0F;
    for (std::int64_t k = threadIdx.x; k < columns; k += block_threads) {
      squares += (from[k] - mean) * (from[k] - mean);
    }
    const float variance = across_block(squares, plus{}) / static_cast<float>(columns);
    const float inverse = 1.0F / sqrtf(variance + epsilon);
    for (std::int64_t k = threadIdx.x; k < columns; k += block_threads) {
      output[row * columns + k] = (from[k] - mean) * inverse * scale[k] + shift[k];
    }
    if (threadIdx.x == 0) {
      means[row] = mean;
      inverses[row] = inverse;
    }
  }
}

void layer_norm(CUstream_st* stream, const float* input, const float* scale, const float* shift,
                float* output, float* mean, float* inverse_deviation, std::int64_t rows, std::int64_t columns,
                float epsilon) {
  layer_norm_kernel<<<blocks_for_rows(rows), block_threads, 0, stream>>>(
      input, scale, shift, output, mean, inverse_deviation, rows, columns, epsilon);
  check_launch("layer_norm kernel");
}

// A block takes a row: its largest logit, the sum of the exponentials, the loss and the gradient. A label
// that is out of range gives a loss that is not a number.
__global__ void cross_entropy_kernel(cross_entropy_arguments arguments, std::int64_t rows) {
  const std::int64_t classes = arguments.classes;
  for (std::int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const float* logits = arguments.logits.data + row * arguments.logits.stride;
    located_value<float> best{0.0F, -1};
    for (std::int64_t k = threadIdx.x; k < classes; k += block_threads) {
      best = first_largest{}(best, located_value<float>{logits[k], k});
    }
    const float largest = across_block(best, first_largest{}).value;
    float sum = 0.0F;
    for (std::int64_t k = threadIdx.x; k < classes; k += block_threads) sum += expf(logits[k] - largest);
    sum = across_block(sum, plus{});
    const std::int64_t label = arguments.labels[row];
    const bool known = label >= 0 && label < classes;
    if (threadIdx.x == 0) {
      arguments.losses[row] = known ? logf(sum) + (largest - logits[label]) : nanf("");
    }
    if (arguments.gradient.data == nullptr) continue;
    float* gradient = arguments.gradient.data + row * arguments.gradient.stride;
    const float scale = arguments.scale / sum;
    for (std::int64_t k = threadIdx.x; k < classes; k += block_threads) {
      gradient[k] = expf(logits[k] - largest) * scale - (k == label ? arguments.scale : 0.0F);
    }
  }
}

void cross_entropy(CUstream_st* stream, const cross_entropy_arguments& arguments, std::int64_t rows) {
  cross_entropy_kernel<<<blocks_for_rows(rows), block_threads, 0, stream>>>(arguments, rows);
  check_launch("cross_entropy kernel");
}

// Optimizer
// --------------------------------------------------------------------------------------------------

__global__ void adam_kernel(adam_arguments arguments, adam_coefficients c, std::int64_t count) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; index < count;
       index += step) {
    const float gradient = arguments.gradient[index];
    const float first = arguments.first[index] * c.beta1 + gradient * c.one_minus_beta1;
    const float second = arguments.second[index] * c.beta2 + gradient * gradient * c.one_minus_beta2;
    const float denominator = sqrtf(second) * c.inverse_root_of_correction2 + c.epsilon;
    arguments.first[index] = first;
    arguments.second[index] = second;
    arguments.parameter[index] = arguments.parameter[index] * c.decay - first * c.step_size / denominator;
  }
}

void adam(CUstream_st* stream, const adam_arguments& arguments, std::int64_t count) {
  adam_kernel<<<blocks_for(count), block_threads, 0, stream>>>(arguments, *arguments.coefficients, count);
  check_launch("adam kernel");
}

// Images
// -----------------------------------------------------------------------------------------------------

constexpr int most_channels = 64;

struct channel_coefficients {
  float scale[most_channels];
  float shift[most_channels];
};

__global__ void normalize_kernel(const std::uint8_t* pixels, float* output, std::int64_t pixel_count,
                                 std::int64_t channels, channel_coefficients each, std::int64_t count) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; index < count;
       index += step) {
    const std::int64_t pixel = index % pixel_count;
    const std::int64_t channel = index / pixel_count % channels;
    const std::int64_t image = index / pixel_count / channels;
    const float value = static_cast<float>(pixels[(image * pixel_count + pixel) * channels + channel]);
    output[index] = value * each.scale[channel] + each.shift[channel];
  }
}

void normalize_images(CUstream_st* stream, const std::uint8_t* pixels, float* output, std::int64_t images,
                      std::int64_t pixel_count, std::int64_t channels, const float* scale,
                      const float* shift) {
  if (channels > most_channels) {
    throw invalid_argument("normalize_images: a GPU takes at most 64 channels");
  }
  channel_coefficients each{};
  std::memcpy(each.scale, scale, static_cast<std::size_t>(channels) * sizeof(float));
  std::memcpy(each.shift, shift, static_cast<std::size_t>(channels) * sizeof(float));
  const std::int64_t count = images * pixel_count * channels;
  normalize_kernel<<<blocks_for(count), block_threads, 0, stream>>>(pixels, output, pixel_count, channels,
                                                                    each, count);
  check_launch("normalize_images kernel");
}

// Random numbers
// ---------------------------------------------------------------------------------------------

// Philox 4x32-10, as src/compute/isa/rows.cpp has it; a thread makes a block of four numbers.
__global__ void random_kernel(random_arguments arguments, std::int64_t count) {
  const std::int64_t blocks = (count + 3) / 4;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t block = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; block < blocks;
       block += step) {
    std::uint32_t word[4] = {static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                             arguments.stream[0], arguments.stream[1]};
    std::uint32_t key0 = arguments.seed[0];
    std::uint32_t key1 = arguments.seed[1];
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t first = std::uint64_t{0xD2511F53U} * word[0];
      const std::uint64_t second = std::uint64_t{0xCD9E8D57U} * word[2];
      word[0] = static_cast<std::uint32_t>(second >> 32) ^ word[1] ^ key0;
      word[1] = static_cast<std::uint32_t>(second);
      word[2] = static_cast<std::uint32_t>(first >> 32) ^ word[3] ^ key1;
      word[3] = static_cast<std::uint32_t>(first);
      key0 += 0x9E3779B9U;
      key1 += 0xBB67AE85U;
    }
    float value[4];
    for (int i = 0; i < 4; ++i) value[i] = static_cast<float>(word[i] >> 8) * 0x1p-24F;
    if (arguments.normal) {
      for (int pair = 0; pair < 4; pair += 2) {
        const float radius = sqrtf(-2.0F * logf(1.0F - value[pair]));
        float sine = 0.0F;
        float cosine = 0.0F;
        sincospif(2.0F * value[pair + 1], &sine, &cosine);
        value[pair] = radius * cosine;
        value[pair + 1] = radius * sine;
      }
    }
    for (int i = 0; i < 4; ++i) {
      if (4 * block + i < count)
        arguments.output[4 * block + i] = value[i] * arguments.scale + arguments.shift;
    }
  }
}

void random(CUstream_st* stream, const random_arguments& arguments, std::int64_t count) {
  random_kernel<<<blocks_for((count + 3) / 4), block_threads, 0, stream>>>(arguments, count);
  check_launch("random kernel");
}

// What follows a product and is not cuBLASLt's.
__global__ void finish_kernel(float* output, const float* bias, std::int64_t columns, std::int64_t count,
                              activation after) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; index < count;
       index += step) {
    float value = output[index];
    if (bias != nullptr) value += bias[index % columns];
    if (after == activation::relu) value = value < 0.0F ? 0.0F : value;
    if (after == activation::gelu) value = gelu_of(value);
    output[index] = value;
  }
}

}  // namespace

void finish_product(CUstream_st* stream, float* output, const float* bias, std::int64_t columns,
                    std::int64_t count, activation after) {
  finish_kernel<<<blocks_for(count), block_threads, 0, stream>>>(output, bias, columns, count, after);
  check_launch("matmul's bias and activation");
}

const cuda_kernel_table& cuda_kernels() noexcept {
  static constexpr cuda_kernel_table kernels{.binary = binary,
                                             .unary = unary,
                                             .reduce = reduce,
                                             .product = multiply_matrices,
                                             .layer_norm = layer_norm,
                                             .cross_entropy = cross_entropy,
                                             .adam = adam,
                                             .random = random,
                                             .normalize_images = normalize_images};
  return kernels;
}

}  // namespace weft::detail
