#include <weft/compute/cuda_device.hpp>

namespace weft {

#ifdef WEFT_HAS_CUDA
bool built_with_cuda() noexcept {
  return true;
}
#else
bool built_with_cuda() noexcept {
  return false;
}

std::vector<cuda_device> cuda_devices() {
  return {};
}
#endif

}  // namespace weft
