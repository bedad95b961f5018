#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/dtype.hpp>
#include <weft/compute/tensor.hpp>
#include <weft/core/error.hpp>
#include <weft/observe/span.hpp>
#include <weft/pool/future.hpp>

#include <array>        // for std::array
#include <atomic>       // for std::atomic
#include <concepts>     // for std::invocable
#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::int64_t
#include <exception>    // for std::exception_ptr
#include <functional>   // for std::invoke
#include <optional>     // for std::optional
#include <string>       // for std::string
#include <string_view>  // for std::string_view
#include <tuple>        // for std::tuple, std::apply
#include <type_traits>  // for std::invoke_result_t, std::is_arithmetic_v
#include <utility>      // for std::move, std::exchange

namespace weft {

/// A kernel failed; what() names it, its arguments and the executor, and std::rethrow_if_nested() throws what
/// it threw. A shape_error, invalid_argument, device_lost or device_out_of_memory that a kernel throws stays
/// one, with the same words before it.
struct kernel_error : error {
  using error::error;
};

namespace detail {

template <class Kernel>
consteval std::string_view pretty_name() {
  const std::string_view all = __PRETTY_FUNCTION__;
  const std::size_t begin = all.find("Kernel = ") + 9;
  std::string_view name = all.substr(begin, all.find_first_of(";]", begin) - begin);
  if (name.substr(0, 6) == "weft::") name.remove_prefix(6);
  return name;
}

template <class Kernel>
consteval auto terminated_name() {
  std::array<char, pretty_name<Kernel>().size() + 1> text{};
  std::size_t index = 0;
  for (const char letter : pretty_name<Kernel>()) text[index++] = letter;
  return text;
}

/// A kernel's type as text, zero-terminated: what traces and errors call it.
template <class Kernel>
inline constexpr auto kernel_name = terminated_name<Kernel>();

/// Whether a type is a view of elements that lie somewhere.
template <class T>
concept located = requires(const T& view) {
  { view.where() } -> std::same_as<place>;
  view.extents();
};

template <class T>
void describe(std::string& text, const T& argument) {
  if (!text.empty()) text += ", ";
  if constexpr (located<T>) {
    text += std::string(to_string(dtype_of_v<typename T::value_type>)) + ' ' + to_string(argument.extents());
  } else if constexpr (std::is_arithmetic_v<T>) {
    text += std::to_string(argument);
  } else {
    text += "...";
  }
}

/// What a kernel gives: by its CPU overload, and by that for CUDA where there is no other.
template <class Kernel, class... Arguments>
struct kernel_result {
  static_assert(
      std::invocable<Kernel&, const cpu_context&, Arguments&...> ||
          std::invocable<Kernel&, const cuda_context&, Arguments&...>,
      "the kernel takes neither a cpu_context nor a cuda_context with arguments of these types and ranks");
  using type =
      std::invoke_result_t<Kernel&,
                           std::conditional_t<std::invocable<Kernel&, const cpu_context&, Arguments&...>,
                                              const cpu_context&, const cuda_context&>,
                           Arguments&...>;
};

template <class Kernel, class... Arguments>
using kernel_result_t = typename kernel_result<Kernel, Arguments...>::type;

/// A kernel_call without its types. Whoever moves it from waiting to taken completes it.
class kernel_state {
 public:
  kernel_state(const char* name, std::string_view executor, place where) noexcept
      : name_(name), executor_(executor), where_(where) {}
  kernel_state(const kernel_state&) = delete;
  kernel_state& operator=(const kernel_state&) = delete;

  const char* name() const noexcept { return name_; }
  virtual std::string operands() const = 0;
  virtual shared_call& call() noexcept = 0;
  virtual void run(const cpu_context& context) noexcept = 0;
  virtual void run(const cuda_context& context) noexcept = 0;
  /// Ends a call that was run on a GPU, whose work is done or has failed.
  virtual void complete(std::exception_ptr error) noexcept = 0;

 protected:
  ~kernel_state() = default;

  bool take() noexcept { return !taken_.exchange(true, std::memory_order_acq_rel); }
  /// Throws the exception that is being handled as one that names the kernel, its arguments and the executor.
  [[noreturn]] void rethrow_named() const;
  [[noreturn]] void refuse_backend(const char* backend) const;

 private:
  const char* name_;
  std::string_view executor_;
  place where_;
  std::atomic<bool> taken_{false};
};

template <class R, class Kernel, class... Arguments>
class stored_kernel final : public typed_call<R>, public kernel_state {
 public:
  stored_kernel(std::string_view executor, place where, Kernel kernel, Arguments... arguments)
      : typed_call<R>(shared_call::running),  // no waiting thread may run it out of turn
        kernel_state(kernel_name<Kernel>.data(), executor, where),
        work_(std::in_place, std::move(kernel), std::move(arguments)...) {}

  std::string operands() const override {
    std::string text;
    const auto describe_all = [&text](const Kernel&, const Arguments&... arguments) {
      (describe(text, arguments), ...);
    };
    if (work_) std::apply(describe_all, *work_);
    return text;
  }

  shared_call& call() noexcept override { return *this; }

  bool cancel() noexcept override {
    if (!take()) return false;
    fail(std::make_exception_ptr(cancelled()));
    end();
    return true;
  }

  void run(const cpu_context& context) noexcept override {
    if (!take()) return;
    invoke(context);
    end();
  }

  void run(const cuda_context& context) noexcept override {
    if (!take()) return;
    if (!invoke(context)) {
      context.settle();
      return end();
    }
    try {
      context.launched(*this);  // which completes it
    } catch (...) {
      context.settle();
      complete(std::current_exception());
    }
  }

  void complete(std::exception_ptr error) noexcept override {
    if (error) {
      try {
        std::rethrow_exception(std::move(error));
      } catch (...) {
        fail_named();
      }
    }
    end();
  }

 private:
  using typed_call<R>::fail;

  void execute() noexcept override {}  // taken from the start: only run() runs it

  void end() noexcept {
    work_.reset();  // what the kernel captured ends here, not when the last future is dropped
    this->finish();
  }

  void fail_named() noexcept {
    try {
      this->rethrow_named();
    } catch (...) {
      fail(std::current_exception());
    }
  }

  // Stores the result; false if the kernel threw.
  template <class Context>
  bool invoke(const Context& context) noexcept {
    static constexpr trace_name name(kernel_name<Kernel>.data());
    const span traced(name);
    ++pool_call_depth;
    bool done = true;
    try {
      if constexpr (!std::invocable<Kernel&, const Context&, Arguments&...>) {
        refuse_backend(std::is_same_v<Context, cpu_context> ? "the CPU" : "CUDA");
      } else {
        const auto call = [&context](Kernel& kernel, Arguments&... arguments) -> decltype(auto) {
          return std::invoke(kernel, context, arguments...);
        };
        if constexpr (std::is_void_v<R>) {
          std::apply(call, *work_);
          this->result_.template emplace<1>();
        } else {
          this->result_.template emplace<1>(std::apply(call, *work_));
        }
      }
    } catch (...) {
      fail_named();
      done = false;
    }
    --pool_call_depth;
    return done;
  }

  std::optional<std::tuple<Kernel, Arguments...>> work_;
};

}  // namespace detail

/// A kernel with its arguments on the way through an executor, whatever their types: an executor takes calls
/// and runs each once, in order, by giving it a context. Its result goes to the future or coroutine that
/// waits for it; errors too, so that running a call never throws.
///
/// A call that is destroyed without having been run fails with `cancelled`. Move-only.
///
/// Thread safety: distinct objects safe; a single object is not safe to share.
class kernel_call {
 public:
  /// Adopts one reference.
  explicit kernel_call(detail::kernel_state& state) noexcept : state_(&state) {}
  /// Takes the call over; the other must only be destroyed or assigned to.
  kernel_call(kernel_call&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  /// Exchanges the two.
  kernel_call& operator=(kernel_call&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~kernel_call() {
    if (state_ == nullptr) return;
    state_->call().cancel();
    state_->call().release();
  }

  /// The kernel's type.
  std::string_view name() const noexcept { return state_->name(); }
  /// Its arguments, such as "float32 [2, 3], int32 [2]".
  std::string operands() const { return state_->operands(); }

  /// Runs the kernel on the CPU, unless the call has been cancelled. What it threw is thrown where the result
  /// is awaited.
  void operator()(const cpu_context& context) noexcept { state_->run(context); }
  /// Enqueues the kernel's work on a GPU, unless the call has been cancelled; the result is there when the
  /// work is done.
  void operator()(const cuda_context& context) noexcept { state_->run(context); }

 private:
  detail::kernel_state* state_;
};

}  // namespace weft
