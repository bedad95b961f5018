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

class scratch {
 public:
  float* at_least(std::int64_t count) {
    if (count > capacity_) {
      buffer_.reset();
      capacity_ = 0;
      buffer_.reset(static_cast<float*>(::operator new (static_cast<std::size_t>(count) * sizeof(float),
                                                        std::align_val_t{tensor_alignment})));
      capacity_ = count;
    }
    return buffer_.get();
  }

 private:
  std::unique_ptr<float[], release> buffer_;
  std::int64_t capacity_ = 0;
};

}  // namespace

float* thread_scratch(std::int64_t count) {
  thread_local scratch own;
  return own.at_least(count);
}

float* shared_scratch(std::int64_t count) {
  thread_local scratch shared;
  return shared.at_least(count);
}

}  // namespace weft::detail
