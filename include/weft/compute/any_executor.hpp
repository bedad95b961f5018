#pragma once

#include <weft/async/task.hpp>
#include <weft/compute/executor.hpp>
#include <weft/pool/future.hpp>

#include <memory>       // for std::shared_ptr
#include <string>       // for std::string
#include <string_view>  // for std::string_view
#include <utility>      // for std::move

namespace weft {

/// An executor of any kind, chosen at run time. Copies share it; the last one destroys it, and blocks as that
/// executor's destructor does.
///
/// Thread safety: distinct objects safe; shared objects safe.
/// Cancellation: as executor_base.
class any_executor {
 public:
  /// @param shared the executor; throws invalid_argument if it is null
  explicit any_executor(std::shared_ptr<executor_base> shared);

  /// What the executor is called.
  const std::string& name() const noexcept { return shared_->name(); }
  /// Whose memory its kernels compute in.
  place where() const noexcept { return shared_->where(); }
  /// Where tensors for its kernels get their memory; null for the host's heap.
  std::shared_ptr<memory> source() const { return shared_->source(); }
  /// The executor itself.
  executor_base& base() const noexcept { return *shared_; }

  /// As executor_base::run().
  template <class Kernel, class... Arguments>
  task<detail::kernel_result_t<Kernel, Arguments...>> run(Kernel kernel, Arguments... arguments) {
    return shared_->run(std::move(kernel), std::move(arguments)...);
  }
  /// As executor_base::submit().
  template <class Kernel, class... Arguments>
  future<detail::kernel_result_t<Kernel, Arguments...>> submit(Kernel kernel, Arguments... arguments) {
    return shared_->submit(std::move(kernel), std::move(arguments)...);
  }

 private:
  std::shared_ptr<executor_base> shared_;
};

/// The executor of this name: "cpu" with a thread per core, "cpu:4" with four, "cuda" or "cuda:0" on a GPU;
/// "auto" on the first GPU if this build and this machine have one, and else on the CPU.
///
/// Throws invalid_argument, naming the text and what is known, for another text; weft::error or cuda_error,
/// saying why, if the GPU cannot be used.
///
/// Thread safety: safe.
any_executor make_executor(std::string_view name);

static_assert(executor<any_executor>);

}  // namespace weft
