#pragma once

#include <compute/cuda/check.hpp>

#include <cstdint>  // for std::int64_t

// How kernels are launched, and what a thread of one asks.

namespace weft::detail {

constexpr int block_threads = 256;

/// Enqueues a kernel; throws cuda_error, naming it, if it cannot.
template <class... Parameters, class... Arguments>
void launch(const char* name, CUstream_st* stream, unsigned blocks, void (*kernel)(Parameters...),
            const Arguments&... arguments) {
  kernel<<<blocks, block_threads, 0, stream>>>(static_cast<Parameters>(arguments)...);
  check_cuda(cudaGetLastError(), name);
}

/// How many blocks have a thread for each of `count` pieces of work; above a limit each has several.
inline unsigned blocks_for(std::int64_t count) {
  constexpr std::int64_t most_blocks = 1 << 20;
  const std::int64_t blocks = (count + block_threads - 1) / block_threads;
  return static_cast<unsigned>(blocks < most_blocks ? blocks : most_blocks);
}

/// A block for each of `count` pieces of work, with the same limit.
inline unsigned one_block_for_each(std::int64_t count) {
  return blocks_for(count * block_threads);
}

/// Calls each(index) for this thread's part of [0, count).
template <class Each>
__device__ void for_each_index(std::int64_t count, const Each& each) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * block_threads;
  for (std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * block_threads + threadIdx.x;
       index < count; index += step) {
    each(index);
  }
}

/// As many elements as are loaded and stored at once.
template <class T>
struct alignas(16) pack {
  static constexpr int size = 16 / static_cast<int>(sizeof(T));
  T value[size];
};

/// Whether an array of floats can be accessed as packs.
template <class... T>
bool aligned_for_packs(const T*... arrays) {
  return ((reinterpret_cast<std::uintptr_t>(arrays) % 16 == 0) && ...);
}

}  // namespace weft::detail
