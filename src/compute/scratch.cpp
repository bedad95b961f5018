#include <compute/scratch.hpp>
#include <weft/compute/tensor.hpp>

#include <cstddef>  // for std::size_t
#include <memory>   // for std::unique_ptr
#include <new>      // for std::align_val_t

namespace weft::detail {
namespace {

struct release {
  void operator()(float* data) const noexcept {
    ::operator delete (static_cast<void*>(data), std::align_val_t{tensor_alignment});
  }
};

}  // namespace

float* thread_scratch(std::int64_t count) {
  thread_local std::unique_ptr<float[], release> buffer;
  thread_local std::int64_t capacity = 0;
  if (count > capacity) {
    buffer.reset();
    capacity = 0;
    buffer.reset(static_cast<float*>(::operator new (static_cast<std::size_t>(count) * sizeof(float),
                                                     std::align_val_t{tensor_alignment})));
    capacity = count;
  }
  return buffer.get();
}

}  // namespace weft::detail
