#pragma once

#include <weft/async/run.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>
#include <weft/pool/detail/graph_run.hpp>
#include <weft/pool/detail/process_core.hpp>
#include <weft/pool/future.hpp>
#include <weft/pool/process_pool.hpp>
#include <weft/pool/remote.hpp>

#include <boost/asio/this_coro.hpp>

#include <atomic>       // for std::atomic
#include <concepts>     // for std::same_as
#include <cstddef>      // for std::size_t
#include <exception>    // for std::exception_ptr
#include <functional>   // for std::invoke
#include <memory>       // for std::shared_ptr
#include <span>         // for std::span
#include <string>       // for std::string
#include <string_view>  // for std::string_view
#include <tuple>        // for std::tuple
#include <type_traits>  // for std::invoke_result_t, std::is_void_v
#include <utility>      // for std::move, std::forward
#include <vector>       // for std::vector

namespace weft {

/// A call of a delayed graph threw. what() gives the path from the result that was asked for to that call,
/// and what the exception said.
class delayed_error : public error {
 public:
  /// @param path names, the result that was asked for first; @param cause what the last of them threw
  delayed_error(std::vector<std::string> path, std::exception_ptr cause);

  /// The names from the result that was asked for to the call that failed.
  const std::vector<std::string>& path() const noexcept { return path_; }

  /// What the call threw.
  const std::exception_ptr& cause() const noexcept { return cause_; }

  /// Whether what the call threw is an E.
  template <class E>
  bool caused_by() const noexcept {
    try {
      std::rethrow_exception(cause_);
    } catch (const E&) {
      return true;
    } catch (...) {
      return false;
    }
  }

 private:
  std::vector<std::string> path_;
  std::exception_ptr cause_;
};

/// How a delayed graph is run.
struct delayed_options {
  /// How many of its calls may run at the same time; 0 for one per thread or worker of the pool.
  int running = 0;
  /// How far calls without inputs may be ahead: one is started only if it comes, depth first, before one of
  /// the next `ahead` calls that wait for something. It bounds how many results are kept for later; 0 for
  /// four times `running`.
  int ahead = 0;
};

template <class R>
class delayed_value;

namespace detail {

template <class R>
struct kept_result final : graph_result {
  template <class Make>
  explicit kept_result(Make& make) : value(make()) {}
  R value;
};
template <>
struct kept_result<void> final : graph_result {};

// How the results of other nodes are passed to a function.
enum class pass {
  moved,     // nobody else will look at any of them
  borrowed,  // some have other consumers, and the function can look at what it does not own
  copied,    // as above, and it cannot
};

/// An argument that is there already.
template <class A>
class bound_argument {
 public:
  explicit bound_argument(A value, std::vector<std::shared_ptr<graph_node>>&) : value_(std::move(value)) {}

  template <pass>
  decltype(auto) give(std::span<const graph_input>) {
    if constexpr (std::is_copy_constructible_v<A>) {
      return static_cast<const A&>(value_);
    } else {
      if (spent_.exchange(true, std::memory_order_relaxed)) {
        throw invalid_argument(
            "delayed: an argument that cannot be copied went to the first computation of "
            "this graph; build it again");
      }
      return static_cast<A&&>(value_);
    }
  }

 private:
  A value_;
  std::atomic<bool> spent_{false};
};

/// An argument that is another node's result.
template <class T>
class bound_argument<delayed_value<T>> {
 public:
  static_assert(!std::is_void_v<T>, "a call that returns nothing cannot be an argument");

  bound_argument(delayed_value<T> value, std::vector<std::shared_ptr<graph_node>>& inputs)
      : place_(inputs.size()) {
    inputs.push_back(std::move(value.node_));
  }

  template <pass How>
  decltype(auto) give(std::span<const graph_input> inputs) {
    T& value = static_cast<kept_result<T>&>(*inputs[place_].result).value;
    if constexpr (How == pass::moved || !std::is_copy_constructible_v<T>) {
      return static_cast<T&&>(value);
    } else if constexpr (How == pass::borrowed) {
      return static_cast<const T&>(value);
    } else {
      return T(value);
    }
  }

 private:
  std::size_t place_;
};

/// An argument that is the results of many nodes.
template <class T>
class bound_argument<std::vector<delayed_value<T>>> {
 public:
  bound_argument(std::vector<delayed_value<T>> values, std::vector<std::shared_ptr<graph_node>>& inputs)
      : first_(inputs.size()), count_(values.size()) {
    for (auto& value : values) inputs.push_back(std::move(value.node_));
  }

  template <pass>
  std::vector<T> give(std::span<const graph_input> inputs) {
    std::vector<T> all;
    all.reserve(count_);
    for (const graph_input& input : inputs.subspan(first_, count_)) {
      T& value = static_cast<kept_result<T>&>(*input.result).value;
      if constexpr (std::is_copy_constructible_v<T>) {
        if (!input.exclusive) {
          all.push_back(value);
          continue;
        }
      }
      all.push_back(std::move(value));
    }
    return all;
  }

 private:
  std::size_t first_;
  std::size_t count_;
};

/// A function that is known at compile time, as a callable, so that worker processes can call it too.
template <auto F>
struct named_function {
  template <class... Args>
  auto operator()(Args&&... arguments) const
      -> std::invoke_result_t<const std::remove_cvref_t<decltype(F)>&, Args...> {
    return std::invoke(F, std::forward<Args>(arguments)...);
  }

  /// As the program's text has it.
  static std::string name() {
    const std::string_view text = spell<F, std::remove_cvref_t<decltype(F)>>();
    return std::string(text.substr(0, text.find("; ")));
  }

  template <class... Args>
  static future<remote_result<F>> submit(const std::shared_ptr<process_core>& workers, Args&&... arguments) {
    return submit_call<F>(workers, nullptr, std::forward<Args>(arguments)...);
  }
};

template <class F>
inline constexpr bool is_named_function = false;
template <auto F>
inline constexpr bool is_named_function<named_function<F>> = true;

/// A node's call in a worker process that gives an R.
template <class R>
class typed_sent_call final : public sent_call {
 public:
  explicit typed_sent_call(future<R> result) : result_(std::move(result)) {}

  shared_call& shared() noexcept override { return future_access::call_of(result_); }
  std::unique_ptr<graph_result> take() override {
    if constexpr (std::is_void_v<R>) {
      result_.get();
      return std::make_unique<kept_result<void>>();
    } else {
      const auto get = [this] { return result_.get(); };
      return std::make_unique<kept_result<R>>(get);
    }
  }

 private:
  future<R> result_;
};

/// What a function is given for an argument.
template <class A, pass How>
using given_t = decltype(std::declval<bound_argument<A>&>().template give<How>({}));

template <class F, class... Args>
class call_node final : public graph_node {
 public:
  using result = std::remove_cvref_t<std::invoke_result_t<const F&, given_t<Args, pass::moved>...>>;
  using arguments = std::tuple<std::unique_ptr<bound_argument<Args>>...>;

  call_node(std::string name, F function, arguments bound, std::vector<std::shared_ptr<graph_node>> inputs)
      : graph_node(std::move(name), std::is_void_v<result> || std::is_copy_constructible_v<result>,
                   std::move(inputs)),
        function_(std::move(function)),
        bound_(std::move(bound)) {}

  std::unique_ptr<graph_result> run(std::span<const graph_input> inputs) override {
    constexpr bool borrows = std::is_invocable_v<const F&, given_t<Args, pass::borrowed>...>;
    bool exclusive = true;
    for (const graph_input& input : inputs) exclusive &= input.exclusive;
    constexpr pass shared = borrows ? pass::borrowed : pass::copied;
    return exclusive ? call<pass::moved>(inputs) : call<shared>(inputs);
  }

  bool remote() const noexcept override { return is_named_function<F>; }

  std::unique_ptr<sent_call> send(const std::shared_ptr<process_core>& workers,
                                  std::span<const graph_input> inputs) override {
    if constexpr (is_named_function<F>) {
      // Written to a message, so nothing needs to be moved or copied.
      return std::apply(
          [&](auto&... argument) {
            return std::make_unique<typed_sent_call<result>>(
                F::submit(workers, argument->template give<pass::borrowed>(inputs)...));
          },
          bound_);
    } else {
      return nullptr;
    }
  }

 private:
  template <pass How>
  std::unique_ptr<graph_result> call(std::span<const graph_input> inputs) {
    const auto invoke = [&]() -> result {
      return std::apply(
          [&](auto&... argument) -> result {
            return std::invoke(function_, argument->template give<How>(inputs)...);
          },
          bound_);
    };
    if constexpr (std::is_void_v<result>) {
      invoke();
      return std::make_unique<kept_result<void>>();
    } else {
      return std::make_unique<kept_result<result>>(invoke);
    }
  }

  const F function_;
  arguments bound_;
};

template <class Pool>
concept call_pool = requires(Pool& pool, std::function<void()> call) {
  { pool.submit(std::move(call)) } -> std::same_as<future<void>>;
  { pool.threads() } -> std::convertible_to<int>;
};

/// Throws invalid_argument, naming the option, if one cannot work; fills in what is 0.
graph_run::limits limits_of(const delayed_options& options, int threads);

template <class Pool>
graph_run::submitter submitter_of(Pool& pool) {
  return [&pool](std::function<void()> call) { return pool.submit(std::move(call)); };
}

}  // namespace detail

/// The result of a call that has not been made, as delayed() gives it. Copies stand for the same call, which
/// a computation makes once however many others take its result.
///
/// compute() and async_compute() take a pool of threads, anything with `submit(function) -> future<void>` and
/// `threads()` such as thread_pool, or a process_pool, for which every call of the graph must be made with
/// `delayed<&f>()`. Each computation runs the graph anew. Calls are made depth first, and those without
/// inputs are withheld until something soon needs them, so that memory holds the results under way and not
/// all of them (see delayed_options); a result is freed when the last call that takes it has returned, or has
/// been sent to a worker. The first call that throws, or whose worker dies, ends the computation with a
/// delayed_error; what runs on threads is waited for, and what runs in workers is stopped.
///
/// Thread safety: distinct objects safe; shared objects safe. Functions of one graph run at the same time.
/// Cancellation: see async_compute().
template <class R>
class delayed_value {
 public:
  /// What it computes.
  using value_type = R;

  /// What the call is called.
  const std::string& name() const noexcept { return node_->name(); }

  /// Runs the graph on the pool, blocks until it has ended and returns the result. A thread of a pool may
  /// call it: it works along.
  ///
  /// Throws delayed_error for what a call threw; invalid_argument if an option is negative, or if a result
  /// that cannot be copied is taken more than once.
  template <detail::call_pool Pool>
  R compute(Pool& pool, delayed_options options = {}) const {
    detail::graph_run run(node_, detail::limits_of(options, pool.threads()), detail::submitter_of(pool));
    run.start();
    run.wait();
    return result_of(run);
  }

  /// Runs the graph in worker processes, as many calls at a time as there are workers, blocks until it has
  /// ended and returns the result. The results of calls come to this process and go from it to those that
  /// take them; no thread waits for a single call.
  ///
  /// Throws what the other compute() throws, and invalid_argument, with the name, if a call was not made with
  /// `delayed<&f>()`.
  R compute(process_pool& pool, delayed_options options = {}) const {
    return run(async_compute(pool, options));
  }

  /// As compute(), awaited: resumes on the coroutine's executor.
  ///
  /// Cancellation: no more calls are made, those that run are waited for, and then `cancelled` is thrown.
  template <detail::call_pool Pool>
  task<R> async_compute(Pool& pool, delayed_options options = {}) const {
    return await_result(node_, pool, options);
  }

  /// As compute(), awaited: resumes on the coroutine's executor, which also sends the calls.
  ///
  /// Cancellation: no more calls are made, those that run are stopped by replacing their workers, and then
  /// `cancelled` is thrown.
  task<R> async_compute(process_pool& pool, delayed_options options = {}) const {
    return await_result(node_, pool, options);
  }

  /// The graph as text for Graphviz: `dot -Tsvg`. Arrows follow the results.
  std::string graphviz() const { return detail::graphviz(*node_); }

 private:
  template <class>
  friend class detail::bound_argument;
  template <class>
  friend class delayed_function;

  explicit delayed_value(std::shared_ptr<detail::graph_node> node) : node_(std::move(node)) {}

  // Not coroutines on *this, which may be a temporary.
  template <class Pool>
  static task<R> await_result(std::shared_ptr<detail::graph_node> node, Pool& pool, delayed_options options) {
    detail::graph_run run(std::move(node), detail::limits_of(options, pool.threads()),
                          detail::submitter_of(pool));
    run.start();
    // An event loop inside a call of this pool: nobody else may be free to run the graph.
    if (detail::this_thread_pool != nullptr && detail::this_thread_pool == static_cast<void*>(&pool))
      run.wait();
    co_await run.join();
    co_return result_of(run);
  }

  static task<R> await_result(std::shared_ptr<detail::graph_node> node, process_pool& pool,
                              delayed_options options) {
    const auto home = co_await boost::asio::this_coro::executor;
    detail::graph_run run(std::move(node), detail::limits_of(options, pool.workers()), pool.core_, home);
    run.start();
    co_await run.join();
    co_return result_of(run);
  }

  static R result_of(detail::graph_run& run) {
    const auto result = run.take();
    if constexpr (!std::is_void_v<R>) return std::move(static_cast<detail::kept_result<R>&>(*result).value);
  }

  std::shared_ptr<detail::graph_node> node_;
};

/// A function whose calls are put off; see delayed().
///
/// Thread safety: distinct objects safe; shared objects safe.
template <class F>
class delayed_function {
 public:
  /// @param function what to call; @param name what its calls are called in errors and drawings
  delayed_function(F function, std::string name) : function_(std::move(function)), name_(std::move(name)) {}

  /// A call of the function with these arguments, not made yet. An argument is a value, another delayed call,
  /// whose result is passed, or a vector of delayed calls, whose results are passed as a vector. Results are
  /// moved in where no other call takes them.
  template <class... Args>
  auto operator()(Args... arguments) const {
    using node = detail::call_node<F, Args...>;
    std::vector<std::shared_ptr<detail::graph_node>> inputs;
    // In braces: from left to right.
    typename node::arguments bound{
        std::make_unique<detail::bound_argument<Args>>(std::move(arguments), inputs)...};
    return delayed_value<typename node::result>(
        std::make_shared<node>(name_, function_, std::move(bound), std::move(inputs)));
  }

 private:
  F function_;
  std::string name_;
};

/// Puts calls of a function off: `delayed(f)(args...)` is a node of a graph, and nothing runs until
/// compute().
///
///     auto pages = delayed(load, "load")(path);
///     auto words = delayed(count, "count")(pages);
///     auto lines = delayed(count_lines, "lines")(pages);      // load runs once
///     use(delayed(report, "report")(words, lines).compute(pool));
///
/// The function is called as const, perhaps by several threads at the same time.
template <class F>
delayed_function<F> delayed(F function, std::string name = "call") {
  return {std::move(function), std::move(name)};
}

/// As above, with a function that is known at compile time, as process_pool::submit() takes it: such calls
/// can be computed in worker processes as well as on threads.
///
///     auto pages = delayed<&load>("load")(path);
///     use(delayed<&count>("count")(pages).compute(processes));
///
/// @param name what its calls are called in errors and drawings, unless as the function
template <auto F>
delayed_function<detail::named_function<F>> delayed(std::string name = detail::named_function<F>::name()) {
  return {{}, std::move(name)};
}

}  // namespace weft
