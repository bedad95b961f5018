#include <compute/cuda/check.hpp>

#include <cstdint>                       // for std::int64_t
#include <utility>                       // for std::move
#include <vector>                        // for std::vector
#include <weft/compute/cuda_device.hpp>  // for weft::cuda_device, weft::cuda_error

namespace weft {
namespace {

int attribute(cudaDeviceAttr name, int device) {
  int value = 0;
  detail::check_cuda(cudaDeviceGetAttribute(&value, name, device), "cudaDeviceGetAttribute");
  return value;
}

// cudaGetDeviceCount answers cudaErrorInsufficientDriver both for no driver at all and for one that is too
// old for this runtime; only the driver's version, 0 without a driver, tells them apart.
int device_count() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorNoDevice) {
    static_cast<void>(cudaGetLastError());
    return 0;
  }
  if (status == cudaErrorInsufficientDriver) {
    static_cast<void>(cudaGetLastError());
    int version = 0;
    detail::check_cuda(cudaDriverGetVersion(&version), "cudaDriverGetVersion");
    if (version == 0) return 0;
  }
  detail::check_cuda(status, "cudaGetDeviceCount");
  return count;
}

}  // namespace

std::vector<cuda_device> cuda_devices() {
  const int count = device_count();
  std::vector<cuda_device> devices;
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties{};
    detail::check_cuda(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
    cuda_device device;
    device.index = index;
    device.name = properties.name;
    device.memory_bytes = static_cast<std::int64_t>(properties.totalGlobalMem);
    device.compute_major = attribute(cudaDevAttrComputeCapabilityMajor, index);
    device.compute_minor = attribute(cudaDevAttrComputeCapabilityMinor, index);
    device.multiprocessor_count = attribute(cudaDevAttrMultiProcessorCount, index);
    devices.push_back(std::move(device));
  }
  return devices;
}

}  // namespace weft
