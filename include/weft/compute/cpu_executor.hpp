#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/executor.hpp>
#include <weft/pool/thread_pool.hpp>

#include <condition_variable>  // for std::condition_variable
#include <deque>               // for std::deque
#include <mutex>               // for std::mutex
#include <optional>            // for std::optional
#include <string>              // for std::string

namespace weft {

/// How a cpu_executor is set up.
struct cpu_executor_options {
  /// Number of threads that a kernel may use; 0 for one per core.
  int threads = 0;
  /// What the executor is called.
  std::string name = "cpu";
  /// The instruction set of its kernels; nothing for selected_isa().
  std::optional<isa> level{};
};

/// A place where kernels run: a number of CPU threads.
///
/// Kernels are given a cpu_context and run as executor_base says; each may use all of the threads. An
/// executor with one thread gives the same bits as one with many.
///
/// The destructor blocks until every kernel that was given to it has run.
///
/// Thread safety: distinct objects safe; shared objects safe.
/// Cancellation: as executor_base.
class cpu_executor final : public executor_base {
 public:
  /// Throws invalid_argument if threads is negative or the machine cannot run the instruction set; otherwise
  /// as selected_isa().
  explicit cpu_executor(cpu_executor_options options = {});
  ~cpu_executor() override;

  /// How many threads a kernel may use.
  int threads() const noexcept { return workers_.threads(); }
  /// What its kernels are given. Calling a kernel with it directly runs it now, on the calling thread and the
  /// executor's, beside whatever was submitted.
  const cpu_context& context() const noexcept { return context_; }

 private:
  void enqueue(kernel_call call) override;
  void drain();
  std::optional<kernel_call> next();

  thread_pool workers_;
  thread_pool serial_;  // the one thread that takes the calls in order
  cpu_context context_;
  std::mutex mutex_;
  std::deque<kernel_call> calls_;
  bool draining_ = false;  // a task of serial_ takes calls until there are none
  std::condition_variable drained_;
};

}  // namespace weft
