#pragma once

#include <weft/compute/cuda_device.hpp>

#include <cuda_runtime_api.h>

namespace weft::detail {

/// Throws cuda_error, naming the call, unless it succeeded.
inline void check_cuda(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // an error that is reported here must not surface at a later call
  throw cuda_error(call, status, cudaGetErrorString(status));
}

}  // namespace weft::detail
