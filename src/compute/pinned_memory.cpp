#include <compute/pinned_memory.hpp>
#include <weft/compute/cuda_device.hpp>
#include <weft/compute/pinned_memory.hpp>
#include <weft/compute/tensor.hpp>

#include <new>     // for std::align_val_t, std::nothrow
#include <string>  // for std::to_string

namespace weft {
namespace {

class ordinary_memory final : public memory {
 public:
  void* allocate(std::size_t bytes) override {
    void* const data = ::operator new (bytes, std::align_val_t{tensor_alignment}, std::nothrow);
    if (data == nullptr) {
      throw error("cpu has no memory left for " + std::to_string(bytes) + " bytes: take smaller batches");
    }
    return data;
  }
  void deallocate(void* data, std::size_t) noexcept override {
    ::operator delete (data, std::align_val_t{tensor_alignment});
  }
  place where() const noexcept override { return {}; }
};

}  // namespace

bool can_pin_memory() {
  return !cuda_devices().empty();
}

std::shared_ptr<memory> pinned_memory() {
#ifdef WEFT_HAS_CUDA
  if (can_pin_memory()) return detail::make_pinned_memory();
#endif
  return std::make_shared<ordinary_memory>();
}

}  // namespace weft
