#pragma once

#include <weft/compute/cuda_device.hpp>
#include <weft/market/detail/path_loop.hpp>

#include <cstdint>  // for std::int64_t

namespace weft::detail {

constexpr int path_threads = 256;

/// A thread for each path. What it needs stays in registers, but for what the path pays.
template <class Path>
__global__ void __launch_bounds__(path_threads) path_kernel(const Path all, const path_window window) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * path_threads;
  for (std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * path_threads + threadIdx.x;
       index < window.count; index += step) {
    pay_path(all, window, index);
  }
}

/// Enqueues the kernel; throws cuda_error if it cannot. Not for a window without paths.
template <class Path>
void launch_paths(CUstream_st* stream, const Path& all, const path_window& window) {
  static_assert(sizeof(Path) + sizeof(path_window) <= 4000,
                "model and payoff are a kernel's parameters, of which there are 4 KB: hand in a pointer to "
                "the GPU's memory");
  constexpr std::int64_t most_blocks = 1 << 20;
  const std::int64_t blocks = (window.count + path_threads - 1) / path_threads;
  path_kernel<Path>
      <<<static_cast<unsigned>(blocks < most_blocks ? blocks : most_blocks), path_threads, 0, stream>>>(
          all, window);
  const cudaError_t status = cudaGetLastError();
  if (status != cudaSuccess) throw_cuda_error("paths kernel", status, cudaGetErrorString(status));
}

}  // namespace weft::detail
