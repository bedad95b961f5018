#include <weft/compute/cpu_executor.hpp>

#include <utility>  // for std::move

namespace weft {

cpu_executor::cpu_executor(cpu_executor_options options)
    : executor_base(std::move(options.name), place{}),
      workers_(options.threads),
      serial_(1),
      context_(workers_.arena(), options.level ? *options.level : selected_isa()) {}

cpu_executor::~cpu_executor() {
  std::unique_lock lock(mutex_);
  drained_.wait(lock, [this] { return !draining_; });
}

void cpu_executor::enqueue(kernel_call call) {
  const std::lock_guard lock(mutex_);
  calls_.push_back(std::move(call));
  if (draining_) return;
  serial_.arena().enqueue([this] { drain(); });
  draining_ = true;
}

void cpu_executor::drain() {
  for (;;) {
    // The arena is entered once for all calls, so that their parallel parts start without a change of arena
    // each.
    workers_.arena().execute([this] {
      while (std::optional<kernel_call> call = next()) (*call)(context_);
    });
    const std::lock_guard lock(mutex_);
    if (!calls_.empty()) continue;
    draining_ = false;
    drained_.notify_all();  // under the lock: the destructor goes on once it has it, and this is gone then
    return;
  }
}

std::optional<kernel_call> cpu_executor::next() {
  const std::lock_guard lock(mutex_);
  if (calls_.empty()) return std::nullopt;
  std::optional<kernel_call> call(std::move(calls_.front()));
  calls_.pop_front();
  return call;
}

}  // namespace weft
