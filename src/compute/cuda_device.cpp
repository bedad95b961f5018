#include <weft/compute/cuda_device.hpp>

#include <algorithm>  // for std::find
#include <iterator>   // for std::begin, std::end

namespace weft {

void detail::throw_cuda_error(const std::string& call, int code, const std::string& reason) {
  constexpr int out_of_memory = 2;
  // What CUDA's documentation of cudaError says leaves the process in an inconsistent state, by its numbers,
  // which src/compute/cuda/check.hpp compares with CUDA's names.
  static constexpr int lost[] = {214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721};
  if (code == out_of_memory) throw device_out_of_memory(call, code, reason);
  if (std::find(std::begin(lost), std::end(lost), code) != std::end(lost)) {
    throw device_lost(call, code, reason + ": the device is lost to this process");
  }
  throw cuda_error(call, code, reason);
}

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
