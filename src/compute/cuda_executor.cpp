#include <compute/cuda_stream.hpp>
#include <weft/compute/cuda_executor.hpp>

#include <string>   // for std::to_string
#include <utility>  // for std::move

namespace weft {
namespace {

std::string name_of(const cuda_executor_options& options) {
  return options.name.empty() ? to_string(cuda_place(options.device)) : options.name;
}

}  // namespace

CUstream_st* cuda_context::stream() const noexcept {
  return owner_->stream();
}

place cuda_context::where() const noexcept {
  return owner_->where();
}

void cuda_context::synchronize() const {
  owner_->synchronize();
}

void* cuda_context::scratch(std::size_t bytes) const {
  return owner_->scratch(bytes);
}

void cuda_context::settle() const noexcept {
  owner_->settle();
}

bool cuda_context::copies_alone(const void* from) const {
  return owner_->copies_alone(from);
}

void cuda_context::copy(void* to, const void* from, std::size_t bytes) const {
  owner_->copy(to, from, bytes);
}

const detail::cuda_kernel_table& cuda_context::kernels() const noexcept {
  return owner_->kernels();
}

void cuda_context::launched(detail::kernel_state& call) const {
  owner_->launched(call);
}

cuda_executor::cuda_executor(cuda_executor_options options)
    : executor_base(name_of(options), cuda_place(options.device)), options_(std::move(options)) {
  constexpr int most = 32;
  if (options_.streams < 1 || options_.streams > most) {
    throw invalid_argument("cuda_executor: streams is " + std::to_string(options_.streams) +
                           ": it must be in [1, " + std::to_string(most) + "]");
  }
  for (int index = 0; index < options_.streams; ++index) {
    streams_.push_back(detail::make_cuda_stream(options_));
  }
}

cuda_executor::~cuda_executor() = default;

std::shared_ptr<memory> cuda_executor::source() const {
  return streams_.front()->source();
}

std::shared_ptr<executor_base> cuda_executor::copier() {
  const std::lock_guard lock(copier_mutex_);
  if (copier_ == nullptr) {
    copier_ = std::make_shared<cuda_executor>(cuda_executor_options{
        .device = options_.device, .name = name() + " copies", .notifier = options_.notifier});
  }
  return copier_;
}

void cuda_executor::enqueue(kernel_call call) {
  const std::size_t turn = calls_.fetch_add(1, std::memory_order_relaxed);
  streams_[turn % streams_.size()]->enqueue(std::move(call));
}

#ifndef WEFT_HAS_CUDA
std::unique_ptr<detail::cuda_stream> detail::make_cuda_stream(const cuda_executor_options& options) {
  throw error(to_string(cuda_place(options.device)) +
              " cannot be used: weft was built without CUDA; build it where nvcc is, with WEFT_CUDA=ON");
}
#endif

}  // namespace weft
