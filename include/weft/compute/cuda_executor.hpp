#pragma once

#include <weft/compute/executor.hpp>

#include <atomic>   // for std::atomic
#include <cstddef>  // for std::size_t
#include <memory>   // for std::unique_ptr, std::shared_ptr
#include <mutex>    // for std::mutex
#include <string>   // for std::string
#include <vector>   // for std::vector

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
  /// How many kernels may run side by side, from 1 to 32. With one, kernels run in the order they came. With
  /// n, the k-th kernel that is given to the executor goes to stream k modulo n: those of one stream run in
  /// order, those of different streams in any, so a kernel that needs what another makes must be given to the
  /// executor after that one was awaited.
  int streams = 1;
};

namespace detail {
class cuda_stream;
}

/// A place where kernels run: a stream of a GPU, or several by option.
///
/// Kernels are given a cuda_context and enqueue their work on its stream from one thread a stream, in the
/// order they came, so that a kernel is launched while the one before it runs; a result is there when its own
/// work is done. Whatever the notifier says, CUDA is asked for errors before a result is reported. A kernel
/// that fails after it has enqueued work ends when that work has: nothing uses a caller's memory after its
/// call. An error that leaves CUDA's context unusable (an illegal address, a failed assertion) fails every
/// later kernel with device_lost; memory that is not there is a device_out_of_memory, and the executor goes
/// on.
///
/// Device memory comes from the device's own memory pool, which keeps what was freed.
///
/// The destructor blocks until every kernel that was given to it has run.
///
/// Thread safety: distinct objects safe; shared objects safe.
/// Cancellation: as executor_base.
class cuda_executor final : public executor_base {
 public:
  /// Throws invalid_argument if there is no such device or that many streams cannot be, cuda_error if it
  /// cannot be used and weft::error if weft was built without CUDA.
  explicit cuda_executor(cuda_executor_options options = {});
  ~cuda_executor() override;

  std::shared_ptr<memory> source() const override;
  /// An executor of one more stream of the GPU, made at the first call and kept.
  std::shared_ptr<executor_base> copier() override;

 private:
  void enqueue(kernel_call call) override;

  cuda_executor_options options_;
  std::vector<std::unique_ptr<detail::cuda_stream>> streams_;
  std::atomic<std::size_t> calls_{0};
  std::mutex copier_mutex_;
  std::shared_ptr<cuda_executor> copier_;
};

}  // namespace weft
