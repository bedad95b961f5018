#pragma once

#include <weft/compute/any_executor.hpp>
#include <weft/compute/executor.hpp>
#include <weft/pool/process_pool.hpp>
#include <weft/pool/thread_pool.hpp>

#include <utility>  // for std::move
#include <variant>  // for std::variant, std::monostate

namespace weft {

/// Where paths are simulated: `{.place = pool}`. The pool or executor must outlive the simulation.
///
/// Thread safety: distinct objects safe; shared objects safe for reading.
class simulation_place {
 public:
  /// The calling thread.
  simulation_place() noexcept = default;
  /// The pool's threads; the calling one works along.
  simulation_place(thread_pool& pool) noexcept : where_(&pool) {}
  /// The pool's workers.
  simulation_place(process_pool& pool) noexcept : where_(&pool) {}
  /// An executor: a cpu_executor, whose instruction set is taken, or a cuda_executor.
  simulation_place(executor_base& executor) noexcept : where_(&executor) {}
  /// The same, shared.
  simulation_place(any_executor executor) noexcept : where_(std::move(executor)) {}

  /// Calls f with a std::monostate, a pointer to the pool or executor, or the any_executor.
  template <class F>
  auto visit(F&& f) const {
    return std::visit(f, where_);
  }

 private:
  std::variant<std::monostate, thread_pool*, process_pool*, executor_base*, any_executor> where_;
};

}  // namespace weft
