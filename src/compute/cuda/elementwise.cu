#include <compute/cuda/launch.cuh>
#include <compute/cuda_kernel_table.hpp>

// Kernels that compute each element by itself. Arrays whose elements are neighbours are read and written in
// packs of 16 bytes.

namespace weft::detail {
namespace {

constexpr int most_axes = 8;

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
__global__ void strided_binary_kernel(binary_operation operation, const T* left, const T* right, T* output,
                                      broadcast_axes axes, std::int64_t count) {
  for_each_index(count, [&](std::int64_t index) {
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
  });
}

// Both operands are as dense as the output, or one of them is a single element (step 0).
template <class T>
__global__ void packed_binary_kernel(binary_operation operation, const T* left, const T* right, T* output,
                                     bool one_left, bool one_right, std::int64_t count) {
  constexpr int size = pack<T>::size;
  const std::int64_t packs = count / size;
  for_each_index(packs, [&](std::int64_t index) {
    pack<T> a;
    pack<T> b;
    if (!one_left) a = reinterpret_cast<const pack<T>*>(left)[index];
    if (!one_right) b = reinterpret_cast<const pack<T>*>(right)[index];
    pack<T> result;
    for (int i = 0; i < size; ++i) {
      result.value[i] = apply(operation, one_left ? left[0] : a.value[i], one_right ? right[0] : b.value[i]);
    }
    reinterpret_cast<pack<T>*>(output)[index] = result;
  });
  for_each_index(count - packs * size, [&](std::int64_t index) {
    const std::int64_t at = packs * size + index;
    output[at] = apply(operation, left[one_left ? 0 : at], right[one_right ? 0 : at]);
  });
}

template <class T>
void launch_binary(CUstream_st* stream, binary_operation operation, const void* left, const void* right,
                   void* output, const broadcast_axes& axes, std::int64_t count) {
  const auto* a = static_cast<const T*>(left);
  const auto* b = static_cast<const T*>(right);
  auto* to = static_cast<T*>(output);
  const bool one_left = axes.left[0] == 0;
  const bool one_right = axes.right[0] == 0;
  const bool flat = axes.rank == 1 && (one_left || axes.left[0] == 1) && (one_right || axes.right[0] == 1);
  const bool aligned =
      aligned_for_packs(to) && (one_left || aligned_for_packs(a)) && (one_right || aligned_for_packs(b));
  // A single element that the output covers would change under the others' hands.
  const bool apart = (!one_left || a != to) && (!one_right || b != to);
  if (flat && aligned && apart) {
    launch("elementwise kernel", stream, blocks_for(count / pack<T>::size + 1), packed_binary_kernel<T>,
           operation, a, b, to, one_left, one_right, count);
  } else {
    launch("elementwise kernel", stream, blocks_for(count), strided_binary_kernel<T>, operation, a, b, to,
           axes, count);
  }
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

// The first `packs` packs, and then the elements that are left; with 0 packs, all of them one by one.
__global__ void unary_kernel(unary_operation operation, const float* input, float* output, std::int64_t packs,
                             std::int64_t count) {
  constexpr int size = pack<float>::size;
  for_each_index(packs, [&](std::int64_t index) {
    pack<float> values = reinterpret_cast<const pack<float>*>(input)[index];
    for (float& value : values.value) value = apply(operation, value);
    reinterpret_cast<pack<float>*>(output)[index] = values;
  });
  for_each_index(count - packs * size, [&](std::int64_t index) {
    output[packs * size + index] = apply(operation, input[packs * size + index]);
  });
}

template <class T>
__device__ float read(const T* values, std::int64_t index) {
  return static_cast<float>(values[index]);
}
__device__ float read(const bfloat16_bits* values, std::int64_t index) {
  return __uint_as_float(static_cast<std::uint32_t>(values[index].bits) << 16);
}
__device__ void write(float* values, std::int64_t index, float value) {
  values[index] = value;
}
// Rounded to the nearest, to even between two; not a number stays so.
__device__ void write(bfloat16_bits* values, std::int64_t index, float value) {
  const std::uint32_t bits = __float_as_uint(value);
  const bool no_number = (bits & 0x7fffffffU) > 0x7f800000U;
  const std::uint32_t rounded = bits + 0x7fffU + ((bits >> 16) & 1U);
  values[index].bits = static_cast<std::uint16_t>(no_number ? (bits >> 16) | 0x40U : rounded >> 16);
}

__device__ float read(const half_bits* values, std::int64_t index) {
  const std::uint32_t sign = (values[index].bits & 0x8000U) << 16;
  const std::uint32_t magnitude = values[index].bits & 0x7fffU;
  if (magnitude < 0x400U) {
    const float tiny = static_cast<float>(magnitude) * 0x1p-24F;
    return sign == 0 ? tiny : -tiny;
  }
  return __uint_as_float(sign | ((magnitude << 13) + (magnitude < 0x7c00U ? 0x38000000U : 0x70000000U)));
}
// As weft::half rounds.
__device__ void write(half_bits* values, std::int64_t index, float value) {
  const std::uint32_t magnitude = __float_as_uint(value) & 0x7fffffffU;
  std::uint32_t rounded = (magnitude + 0xfffU + ((magnitude >> 13) & 1U) - 0x38000000U) >> 13;
  if (magnitude < 0x38800000U) rounded = __float_as_uint(__uint_as_float(magnitude) + 0.5F) - 0x3f000000U;
  if (magnitude >= 0x477ff000U) rounded = 0x7c00U;
  if (magnitude > 0x7f800000U) rounded = 0x7e00U;
  values[index].bits = static_cast<std::uint16_t>(((__float_as_uint(value) >> 16) & 0x8000U) | rounded);
}

// What follows a product where cuBLASLt does not do it.
template <class T>
__global__ void finish_kernel(T* output, const T* bias, std::int64_t columns, std::int64_t count,
                              activation after) {
  for_each_index(count, [&](std::int64_t index) {
    float value = read(output, index);
    if (bias != nullptr) value += read(bias, index % columns);
    if (after == activation::relu) value = value < 0.0F ? 0.0F : value;
    if (after == activation::gelu) value = gelu_of(value);
    write(output, index, value);
  });
}

template <class T>
void launch_finish(CUstream_st* stream, void* output, const void* bias, std::int64_t columns,
                   std::int64_t count, activation after) {
  launch("matmul's bias and activation", stream, blocks_for(count), finish_kernel<T>, static_cast<T*>(output),
         static_cast<const T*>(bias), columns, count, after);
}

__global__ void mask_kernel(const float* active, float* values, std::int64_t count) {
  for_each_index(count, [&](std::int64_t index) {
    if (!(active[index] > 0.0F)) values[index] = 0.0F;
  });
}

}  // namespace

void gpu::binary(CUstream_st* stream, binary_operation operation, number type, const void* left,
                 const void* right, void* output, int rank, const std::int64_t* extents,
                 const std::int64_t* left_strides, const std::int64_t* right_strides) {
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
}

void gpu::unary(CUstream_st* stream, unary_operation operation, const float* input, float* output,
                std::int64_t count) {
  const std::int64_t packs = aligned_for_packs(input, output) ? count / pack<float>::size : 0;
  launch("elementwise kernel", stream, blocks_for(packs > 0 ? packs : count), unary_kernel, operation, input,
         output, packs, count);
}

void gpu::finish_product(CUstream_st* stream, product_type type, void* output, const void* bias,
                         std::int64_t columns, std::int64_t count, activation after) {
  switch (type) {
    case product_type::bfloat16:
      return launch_finish<bfloat16_bits>(stream, output, bias, columns, count, after);
    case product_type::half:
      return launch_finish<half_bits>(stream, output, bias, columns, count, after);
    default:
      return launch_finish<float>(stream, output, bias, columns, count, after);
  }
}

void gpu::mask(CUstream_st* stream, const float* active, float* values, std::int64_t count) {
  launch("linear_backward_input's mask", stream, blocks_for(count), mask_kernel, active, values, count);
}

}  // namespace weft::detail
