#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/executor.hpp>

#include "counted_memory.hpp"

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

/// A device that is not there: its memory is the host's, but says that it is cuda:7's, and its kernels are
/// the CPU's. While `held` is set calls wait for release().
class far_executor final : public weft::executor_base {
 public:
  explicit far_executor(bool with_copier = true) : executor_base("far", weft::cuda_place(7)) {
    if (with_copier) copier_ = std::make_shared<far_executor>(false);
  }

  std::shared_ptr<weft::memory> source() const override { return memory; }
  std::shared_ptr<weft::executor_base> copier() override { return copier_; }
  far_executor& copies() { return static_cast<far_executor&>(*copier_); }

  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void release() {
    std::vector<weft::kernel_call> late;
    {
      const std::lock_guard lock(mutex_);
      held_ = false;
      late.swap(waiting_);
    }
    for (weft::kernel_call& call : late) call(context_);
  }
  std::size_t waiting() {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }

  std::shared_ptr<counted_memory> memory = std::make_shared<counted_memory>(weft::cuda_place(7));
  int calls = 0;

 private:
  void enqueue(weft::kernel_call call) override {
    {
      const std::lock_guard lock(mutex_);
      ++calls;
      if (held_) {
        waiting_.push_back(std::move(call));
        return;
      }
    }
    call(context_);
  }

  std::shared_ptr<weft::executor_base> copier_;
  weft::cpu_context context_;
  std::mutex mutex_;
  bool held_ = false;
  std::vector<weft::kernel_call> waiting_;
};
