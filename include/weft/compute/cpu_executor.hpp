#pragma once

#include <weft/async/task.hpp>
#include <weft/compute/cpu_context.hpp>
#include <weft/compute/tensor.hpp>
#include <weft/pool/future.hpp>
#include <weft/pool/thread_pool.hpp>

#include <functional>   // for std::invoke
#include <optional>     // for std::optional
#include <string>       // for std::string
#include <type_traits>  // for std::invoke_result_t, std::false_type, std::true_type
#include <utility>      // for std::move

namespace weft {

namespace detail {

template <class T>
struct is_tensor : std::false_type {};
template <class T, int Rank>
struct is_tensor<tensor<T, Rank>> : std::true_type {};

}  // namespace detail

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
/// A kernel is a type whose operator() takes a cpu_context and then views. Kernels of one executor run one
/// after the other, in the order they were given to it; each may use all of its threads. An executor with one
/// thread gives the same bits as one with many.
///
/// The destructor blocks until every kernel that was given to it has run.
///
/// Thread safety: distinct objects safe; shared objects safe.
/// Cancellation: a kernel that has not begun is dropped; one that runs is waited for, because it uses the
/// caller's memory, and then `cancelled` is thrown.
class cpu_executor {
 public:
  /// Throws invalid_argument if threads is negative or the machine cannot run the instruction set; otherwise
  /// as selected_isa().
  explicit cpu_executor(cpu_executor_options options = {})
      : name_(std::move(options.name)),
        workers_(options.threads),
        serial_(1),
        context_(workers_.arena(), options.level ? *options.level : selected_isa()) {}

  cpu_executor(const cpu_executor&) = delete;
  cpu_executor& operator=(const cpu_executor&) = delete;
  ~cpu_executor() = default;

  /// What the executor is called.
  const std::string& name() const noexcept { return name_; }
  /// How many threads a kernel may use.
  int threads() const noexcept { return workers_.threads(); }
  /// What its kernels are given. Calling a kernel with it directly runs it now, on the calling thread and the
  /// executor's, beside whatever was submitted.
  const cpu_context& context() const noexcept { return context_; }

  /// Runs kernel(context, views...), awaits it and returns what it returned or throws what it threw. Resumes
  /// on the coroutine's own executor. What the views show must stay alive until then.
  template <class Kernel, class... Views>
  task<std::invoke_result_t<Kernel&, const cpu_context&, Views&...>> run(Kernel kernel, Views... views) {
    auto result = submit(std::move(kernel), std::move(views)...);
    co_return co_await result.async_get();
  }

  /// The same for a plain thread: returns at once with a future of what the kernel returns. What the views
  /// show must stay alive until the future is ready.
  template <class Kernel, class... Views>
  future<std::invoke_result_t<Kernel&, const cpu_context&, Views&...>> submit(Kernel kernel, Views... views) {
    static_assert(!(detail::is_tensor<Views>::value || ...),
                  "a kernel would be given a copy of a tensor: pass tensor.view()");
    using result = std::invoke_result_t<Kernel&, const cpu_context&, Views&...>;
    // One thread takes the kernels in order; it enters the arena once a kernel, so that the kernel's parallel
    // parts start without a change of arena each.
    return serial_.submit([this, kernel = std::move(kernel),
                           ... views = std::move(views)]() mutable -> result {
      return workers_.arena().execute([&]() -> result { return std::invoke(kernel, context_, views...); });
    });
  }

 private:
  std::string name_;
  thread_pool workers_;
  thread_pool serial_;
  cpu_context context_;
};

}  // namespace weft
