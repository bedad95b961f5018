#pragma once

#include <weft/compute/cuda_executor.hpp>
#include <weft/compute/kernel_call.hpp>

#include <cstddef>  // for std::size_t
#include <memory>   // for std::unique_ptr, std::shared_ptr

namespace weft::detail {

/// What cuda_executor and cuda_context need of CUDA. Only src/compute/cuda/ implements it, so that the rest
/// is the same with and without CUDA.
class cuda_stream {
 public:
  cuda_stream() = default;
  cuda_stream(const cuda_stream&) = delete;
  cuda_stream& operator=(const cuda_stream&) = delete;
  /// Waits for every call that was enqueued.
  virtual ~cuda_stream() = default;

  virtual void enqueue(kernel_call call) = 0;
  virtual void launched(kernel_state& call) = 0;
  virtual std::shared_ptr<memory> source() const = 0;
  virtual CUstream_st* stream() const noexcept = 0;
  virtual place where() const noexcept = 0;
  virtual void synchronize() = 0;
  virtual void settle() noexcept = 0;
  virtual bool copies_alone(const void* from) = 0;
  virtual void* scratch(std::size_t bytes) = 0;
  virtual void copy(void* to, const void* from, std::size_t bytes) = 0;
  virtual const cuda_kernel_table& kernels() const noexcept = 0;
};

/// Throws as cuda_executor's constructor.
std::unique_ptr<cuda_stream> make_cuda_stream(const cuda_executor_options& options);

}  // namespace weft::detail
