#pragma once

#include <weft/compute/executor.hpp>

#include <memory>  // for std::unique_ptr, std::shared_ptr
#include <string>  // for std::string

namespace weft {

/// How a cuda_executor learns that the work of a kernel is done.
enum class cuda_notifier {
  polling,   ///< a thread that asks the stream's events again and again, which keeps a core busy meanwhile
  blocking,  ///< a thread that sleeps in the driver until the event has happened
  callback   ///< a function that the driver calls
};

/// How a cuda_executor is set up.
struct cuda_executor_options {
  /// The GPU, the N of "cuda:N".
  int device = 0;
  /// What the executor is called; "cuda:N" if it is empty.
  std::string name{};
  /// How the end of the work is noticed.
  cuda_notifier notifier = cuda_notifier::blocking;
};

namespace detail {
class cuda_stream;
}

/// A place where kernels run: a stream of a GPU.
///
/// Kernels are given a cuda_context and enqueue their work on its stream from one thread, in the order they
/// came, so that a kernel is launched while the one before it runs; a result is there when its own work is
/// done. Whatever the notifier says, the stream is asked for errors before a result is reported. An error
/// that leaves CUDA's context unusable (an illegal address, a failed assertion) fails every later kernel with
/// the same error: the device is lost to this process.
///
/// Device memory comes from the device's own memory pool, which keeps what was freed.
///
/// The destructor blocks until every kernel that was given to it has run.
///
/// Thread safety: distinct objects safe; shared objects safe.
/// Cancellation: as executor_base.
class cuda_executor final : public executor_base {
 public:
  /// Throws invalid_argument if there is no such device, cuda_error if it cannot be used and weft::error if
  /// weft was built without CUDA.
  explicit cuda_executor(cuda_executor_options options = {});
  ~cuda_executor() override;

  std::shared_ptr<memory> source() const override;

 private:
  void enqueue(kernel_call call) override;

  std::unique_ptr<detail::cuda_stream> stream_;
};

}  // namespace weft
