#pragma once

#include <weft/compute/executor.hpp>
#include <weft/observe/stopwatch.hpp>

#include <memory>   // for std::shared_ptr
#include <mutex>    // for std::mutex
#include <string>   // for std::string
#include <utility>  // for std::move
#include <vector>   // for std::vector

/// An executor of a program's own: it hands every kernel to another executor and keeps a record of it.
///
/// Thread safety: shared objects safe. The other executor must outlive it.
template <weft::executor Inner>
class tracing_executor final : public weft::executor_base {
 public:
  /// What is known of a kernel that has run: its name, its arguments and the seconds it took. For a GPU these
  /// are the seconds of enqueueing its work.
  struct record {
    std::string kernel;
    std::string operands;
    double seconds;
  };

  explicit tracing_executor(Inner& inner)
      : executor_base("traced " + inner.name(), inner.where()), inner_(inner) {}

  std::shared_ptr<weft::memory> source() const override { return inner_.source(); }

  /// The kernels that have run, in order.
  std::vector<record> records() const {
    const std::lock_guard lock(mutex_);
    return records_;
  }

 private:
  // A kernel for the other executor: runs the call with whatever context that gives.
  struct traced {
    tracing_executor* self;
    weft::kernel_call call;

    void operator()(const weft::cpu_context& context) { self->run_call(call, context); }
    void operator()(const weft::cuda_context& context) { self->run_call(call, context); }
  };

  void enqueue(weft::kernel_call call) override { inner_.submit(traced{this, std::move(call)}); }

  template <class Context>
  void run_call(weft::kernel_call& call, const Context& context) {
    record made{std::string(call.name()), call.operands(), 0.0};
    const weft::stopwatch clock;
    // The record is there before the result is, so that who awaited the kernel finds it.
    const std::lock_guard lock(mutex_);
    records_.push_back(std::move(made));
    call(context);
    records_.back().seconds = clock.seconds();
  }

  Inner& inner_;
  mutable std::mutex mutex_;
  std::vector<record> records_;
};
