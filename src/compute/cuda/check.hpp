#pragma once

#include <weft/compute/cuda_device.hpp>

#include <cuda_runtime_api.h>

namespace weft::detail {

// The codes that throw_cuda_error() tells apart, which is compiled without CUDA too.
static_assert(cudaErrorMemoryAllocation == 2 && cudaErrorECCUncorrectable == 214 &&
              cudaErrorNvlinkUncorrectable == 220 && cudaErrorIllegalAddress == 700 &&
              cudaErrorLaunchTimeout == 702 && cudaErrorContextIsDestroyed == 709 && cudaErrorAssert == 710 &&
              cudaErrorHardwareStackError == 714 && cudaErrorIllegalInstruction == 715 &&
              cudaErrorMisalignedAddress == 716 && cudaErrorInvalidAddressSpace == 717 &&
              cudaErrorInvalidPc == 718 && cudaErrorLaunchFailure == 719);

/// Throws cuda_error, naming the call, unless it succeeded.
inline void check_cuda(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // an error that is reported here must not surface at a later call
  throw_cuda_error(call, status, cudaGetErrorString(status));
}

/// Makes a device current on this thread, and the one that was current before again at the end.
class device_scope {
 public:
  explicit device_scope(int device) {
    check_cuda(cudaGetDevice(&before_), "cudaGetDevice");
    check_cuda(cudaSetDevice(device), "cudaSetDevice");
  }
  device_scope(const device_scope&) = delete;
  device_scope& operator=(const device_scope&) = delete;
  ~device_scope() { static_cast<void>(cudaSetDevice(before_)); }

 private:
  int before_ = 0;
};

}  // namespace weft::detail
