#include <compute/cuda/check.hpp>
#include <compute/pinned_memory.hpp>

#include <cstddef>  // for std::size_t
#include <string>   // for std::to_string

namespace weft::detail {
namespace {

class pinned_pages final : public memory {
 public:
  void* allocate(std::size_t bytes) override {
    void* data = nullptr;
    // Portable: pinned for every GPU of the process, whichever is current here.
    const cudaError_t status = cudaHostAlloc(&data, bytes, cudaHostAllocPortable);
    if (status == cudaErrorMemoryAllocation) {
      static_cast<void>(cudaGetLastError());
      throw error("cpu has no memory left to pin for " + std::to_string(bytes) +
                  " bytes: take smaller or fewer batches");
    }
    check_cuda(status, "cudaHostAlloc");
    return data;
  }
  void deallocate(void* data, std::size_t) noexcept override {
    if (data != nullptr) static_cast<void>(cudaFreeHost(data));
  }
  place where() const noexcept override { return {}; }
};

}  // namespace

std::shared_ptr<memory> make_pinned_memory() {
  return std::make_shared<pinned_pages>();
}

}  // namespace weft::detail
