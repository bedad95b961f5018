#pragma once

#include <weft/async/task.hpp>
#include <weft/compute/kernel_call.hpp>
#include <weft/compute/memory.hpp>
#include <weft/compute/place.hpp>
#include <weft/core/error.hpp>
#include <weft/pool/future.hpp>

#include <concepts>     // for std::same_as, std::convertible_to
#include <memory>       // for std::shared_ptr
#include <string>       // for std::string, std::to_string
#include <type_traits>  // for std::false_type, std::true_type
#include <utility>      // for std::move

namespace weft {

namespace detail {

template <class T>
struct is_tensor : std::false_type {};
template <class T, int Rank>
struct is_tensor<tensor<T, Rank>> : std::true_type {};

struct probe_kernel {
  void operator()(const cpu_context&) const {}
};

}  // namespace detail

/// A place where kernels run: one of cpu_executor, cuda_executor, any_executor, or a program's own.
template <class E>
concept executor = requires(E& e, detail::probe_kernel kernel) {
  { e.name() } -> std::convertible_to<std::string>;
  { e.where() } -> std::same_as<place>;
  { e.submit(kernel) } -> std::same_as<future<void>>;
  { e.run(kernel) } -> std::same_as<task<void>>;
};

/// What executors have in common, and what a backend derives from: it says where its kernels compute and runs
/// the calls that enqueue() brings it, each once and in order. docs/compute.md shows one.
///
/// A kernel is a type whose operator() takes a cpu_context or a cuda_context and then arguments: views and
/// plain values. Kernels of one executor run one after the other, in the order they were given to it. A
/// kernel must not wait for another of its own executor.
///
/// Thread safety: distinct objects safe; shared objects safe.
/// Cancellation: a kernel that has not begun is dropped; one that runs is waited for, because it uses the
/// caller's memory, and then `cancelled` is thrown.
class executor_base {
 public:
  executor_base(const executor_base&) = delete;
  executor_base& operator=(const executor_base&) = delete;
  virtual ~executor_base() = default;

  /// What the executor is called.
  const std::string& name() const noexcept { return name_; }
  /// Whose memory its kernels compute in.
  place where() const noexcept { return where_; }
  /// Where tensors for its kernels get their memory; null for the host's heap.
  virtual std::shared_ptr<memory> source() const { return nullptr; }
  /// An executor of the same place whose kernels run beside this one's, for copies that shall overlap with
  /// them; null if there is none, and copies then take their turn. Throws what making it throws.
  virtual std::shared_ptr<executor_base> copier() { return nullptr; }

  /// Runs kernel(context, arguments...), awaits it and returns what it returned. Resumes on the coroutine's
  /// own executor. What the views show must stay alive until then.
  ///
  /// Throws what submit() throws and what its future gives.
  template <class Kernel, class... Arguments>
  task<detail::kernel_result_t<Kernel, Arguments...>> run(Kernel kernel, Arguments... arguments) {
    auto result = submit(std::move(kernel), std::move(arguments)...);
    co_return co_await result.async_get();
  }

  /// The same for a plain thread: returns at once with a future of what the kernel returns. What the views
  /// show must stay alive until the future is ready. The future gives kernel_error, naming kernel, arguments
  /// and executor, if the kernel threw; a shape_error, invalid_argument, device_lost or device_out_of_memory
  /// stays one. The executor goes on.
  ///
  /// Throws invalid_argument, naming both places, for a view of elements that lie elsewhere.
  template <class Kernel, class... Arguments>
  future<detail::kernel_result_t<Kernel, Arguments...>> submit(Kernel kernel, Arguments... arguments) {
    static_assert(!(detail::is_tensor<Arguments>::value || ...),
                  "a kernel would be given a copy of a tensor: pass tensor.view()");
    int position = 0;
    (require_here(detail::kernel_name<Kernel>.data(), ++position, arguments), ...);
    using result = detail::kernel_result_t<Kernel, Arguments...>;
    auto* stored = new detail::stored_kernel<result, Kernel, Arguments...>(name_, where_, std::move(kernel),
                                                                           std::move(arguments)...);
    auto handle = detail::future_access::make<result>(stored);
    stored->retain();
    enqueue(kernel_call(*stored));
    return handle;
  }

 protected:
  /// @param name what the executor is called; @param where whose memory its kernels compute in
  executor_base(std::string name, place where) : name_(std::move(name)), where_(where) {}

  /// Takes a call, to be run once after those that came before it, on whatever thread. What it throws,
  /// submit() throws. The executor must not be destroyed before the call.
  virtual void enqueue(kernel_call call) = 0;

 private:
  template <class Argument>
  void require_here(const char* kernel, int position, const Argument& argument) const {
    if constexpr (detail::located<Argument>) {
      if (argument.where() == where_) return;
      std::string text;
      detail::describe(text, argument);
      throw invalid_argument(std::string(kernel) + ": argument " + std::to_string(position) + ", " + text +
                             ", is on " + to_string(argument.where()) + " but " + name_ + " computes on " +
                             to_string(where_) + ": move it with to()");
    }
  }

  std::string name_;
  place where_;
};

}  // namespace weft
