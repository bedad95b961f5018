#include <compute/cuda/check.hpp>
#include <compute/cuda/memory.hpp>

#include <cstdint>  // for std::uint64_t
#include <limits>   // for std::numeric_limits
#include <string>   // for std::to_string

namespace weft::detail {
namespace {

class device_memory final : public memory {
 public:
  explicit device_memory(int device) : device_(device) {
    const device_scope current(device);
    check_cuda(cudaDeviceGetDefaultMemPool(&pool_, device), "cudaDeviceGetDefaultMemPool");
    std::uint64_t keep = std::numeric_limits<std::uint64_t>::max();
    check_cuda(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep),
               "cudaMemPoolSetAttribute");
    check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  }

  ~device_memory() override { static_cast<void>(cudaStreamDestroy(stream_)); }

  void* allocate(std::size_t bytes) override {
    void* data = nullptr;
    const cudaError_t status = cudaMallocFromPoolAsync(&data, bytes, pool_, stream_);
    check_cuda(status, (to_string(where()) + ": " + std::to_string(bytes) + " bytes of memory").c_str());
    // Nothing but allocations is in this stream, so this waits for no kernel.
    check_cuda(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    return data;
  }

  void deallocate(void* data, std::size_t) noexcept override {
    if (data != nullptr) static_cast<void>(cudaFreeAsync(data, stream_));
  }

  place where() const noexcept override { return cuda_place(device_); }

 private:
  int device_;
  cudaMemPool_t pool_ = nullptr;
  cudaStream_t stream_ = nullptr;
};

}  // namespace

std::shared_ptr<memory> make_device_memory(int device) {
  return std::make_shared<device_memory>(device);
}

}  // namespace weft::detail
