#include <compute/cuda/team.cuh>
#include <compute/cuda_kernel_table.hpp>

// Steps of all parameters: a launch takes many arrays, each cut into chunks, a block a chunk.

namespace weft::detail {
namespace {

constexpr int most_arrays = 48;  // of one launch, so that they fit into a kernel's parameters
constexpr std::int64_t chunk = 8192;

// The arrays of one launch.
template <class Array>
struct array_list {
  int count = 0;
  std::int64_t blocks = 0;
  Array arrays[most_arrays];
  std::int64_t sizes[most_arrays];
  std::int64_t first_block[most_arrays];
};

// Calls each(array, begin, end) for the part of one array that this block has.
template <class Array, class Each>
__device__ void for_block_of_arrays(const array_list<Array>& list, const Each& each) {
  const std::int64_t block = blockIdx.x;
  int at = 0;
  while (at + 1 < list.count && list.first_block[at + 1] <= block) ++at;
  const std::int64_t begin = (block - list.first_block[at]) * chunk;
  const std::int64_t end = begin + chunk;
  each(list.arrays[at], begin, end < list.sizes[at] ? end : list.sizes[at]);
}

// Calls run(list, blocks before it) for as many lists as the arrays need.
template <class Array, class Run>
void for_each_list(const Array* arrays, const std::int64_t* sizes, std::int64_t count, const Run& run) {
  std::int64_t before = 0;
  for (std::int64_t first = 0; first < count;) {
    array_list<Array> list{};
    for (; first < count && list.count < most_arrays; ++first) {
      if (sizes[first] == 0) continue;
      list.arrays[list.count] = arrays[first];
      list.sizes[list.count] = sizes[first];
      list.first_block[list.count] = list.blocks;
      list.blocks += (sizes[first] + chunk - 1) / chunk;
      ++list.count;
    }
    if (list.blocks == 0) continue;
    run(list, before);
    before += list.blocks;
  }
}

__global__ void adam_kernel(array_list<adam_arguments> list, adam_coefficients c) {
  for_block_of_arrays(list, [&](const adam_arguments& array, std::int64_t begin, std::int64_t end) {
    for (std::int64_t index = begin + threadIdx.x; index < end; index += block_threads) {
      const float gradient = __ldg(array.gradient + index);
      const float first = array.first[index] * c.beta1 + gradient * c.one_minus_beta1;
      const float second = array.second[index] * c.beta2 + gradient * gradient * c.one_minus_beta2;
      const float denominator = sqrtf(second) * c.inverse_root_of_correction2 + c.epsilon;
      const float parameter = array.parameter[index] * c.decay - first * c.step_size / denominator;
      array.first[index] = first;
      array.second[index] = second;
      array.parameter[index] = parameter;
    }
  });
}

__global__ void sgd_kernel(array_list<sgd_arguments> list) {
  for_block_of_arrays(list, [&](const sgd_arguments& array, std::int64_t begin, std::int64_t end) {
    for (std::int64_t index = begin + threadIdx.x; index < end; index += block_threads) {
      const float parameter = array.parameter[index];
      float step = __ldg(array.gradient + index) + array.decay * parameter;
      if (array.velocity != nullptr) {
        const float velocity = array.momentum * array.velocity[index] + step;
        array.velocity[index] = velocity;
        step = array.nesterov ? step + array.momentum * velocity : velocity;
      }
      array.parameter[index] = parameter - array.learning_rate * step;
    }
  });
}

__global__ void squares_kernel(array_list<float*> list, double* sums) {
  for_block_of_arrays(list, [&](float* array, std::int64_t begin, std::int64_t end) {
    double sum = 0.0;
    for (std::int64_t index = begin + threadIdx.x; index < end; index += block_threads) {
      sum += static_cast<double>(array[index]) * static_cast<double>(array[index]);
    }
    sum = across_block(sum, plus{});
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
  });
}

__global__ void total_kernel(double* sums, std::int64_t count) {
  double total = 0.0;
  for (std::int64_t index = threadIdx.x; index < count; index += block_threads) total += sums[index];
  total = across_block(total, plus{});
  if (threadIdx.x == 0) sums[0] = total;
}

__global__ void scale_kernel(array_list<float*> list, float factor) {
  for_block_of_arrays(list, [&](float* array, std::int64_t begin, std::int64_t end) {
    for (std::int64_t index = begin + threadIdx.x; index < end; index += block_threads)
      array[index] *= factor;
  });
}

}  // namespace

void gpu::adam(CUstream_st* stream, const adam_arguments* arrays, const std::int64_t* sizes,
               std::int64_t count, const adam_coefficients& coefficients) {
  for_each_list(arrays, sizes, count, [&](const array_list<adam_arguments>& list, std::int64_t) {
    launch("adam_step kernel", stream, static_cast<unsigned>(list.blocks), adam_kernel, list, coefficients);
  });
}

void gpu::sgd(CUstream_st* stream, const sgd_arguments* arrays, const std::int64_t* sizes,
              std::int64_t count) {
  for_each_list(arrays, sizes, count, [&](const array_list<sgd_arguments>& list, std::int64_t) {
    launch("sgd_step kernel", stream, static_cast<unsigned>(list.blocks), sgd_kernel, list);
  });
}

std::int64_t gpu::squares_needed(const std::int64_t* sizes, std::int64_t count) {
  std::int64_t blocks = 1;
  for (std::int64_t index = 0; index < count; ++index) blocks += (sizes[index] + chunk - 1) / chunk;
  return blocks;
}

void gpu::sum_of_squares(CUstream_st* stream, float* const* arrays, const std::int64_t* sizes,
                         std::int64_t count, double* sums) {
  std::int64_t blocks = 0;
  for_each_list(arrays, sizes, count, [&](const array_list<float*>& list, std::int64_t before) {
    launch("clip_by_norm kernel", stream, static_cast<unsigned>(list.blocks), squares_kernel, list,
           sums + before);
    blocks = before + list.blocks;
  });
  launch("clip_by_norm kernel", stream, 1, total_kernel, sums, blocks);
}

void gpu::scale(CUstream_st* stream, float* const* arrays, const std::int64_t* sizes, std::int64_t count,
                float factor) {
  for_each_list(arrays, sizes, count, [&](const array_list<float*>& list, std::int64_t) {
    launch("clip_by_norm kernel", stream, static_cast<unsigned>(list.blocks), scale_kernel, list, factor);
  });
}

}  // namespace weft::detail
