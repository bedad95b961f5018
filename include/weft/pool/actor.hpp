#pragma once

#include <weft/core/error.hpp>
#include <weft/pool/detail/process_core.hpp>
#include <weft/pool/future.hpp>
#include <weft/pool/process_pool.hpp>
#include <weft/pool/remote.hpp>

#include <chrono>       // for std::chrono::nanoseconds
#include <cstddef>      // for std::size_t
#include <map>          // for std::map
#include <memory>       // for std::unique_ptr
#include <string>       // for std::string
#include <type_traits>  // for std::decay_t
#include <utility>      // for std::move, std::forward

namespace weft {

/// How an actor is set up; what it shares with process_pool_options means the same.
struct actor_options {
  /// How often the object is made anew, from the same arguments, after its process has died. Negative:
  /// always.
  int restarts = 0;
  /// See process_pool_options.
  int threads = 0;
  /// See process_pool_options; a call that takes longer costs a restart.
  std::chrono::nanoseconds timeout{0};
  /// See process_pool_options.
  std::size_t memory_limit = 0;
  /// See process_pool_options.
  std::map<std::string, std::string> environment = {};
  /// See process_pool_options.
  int niceness = 0;
  /// See process_pool_options.
  std::chrono::milliseconds start_timeout{30'000};
  /// See process_pool_options.
  std::chrono::milliseconds shutdown_timeout{30'000};
  /// See process_pool_options.
  bool forward_stderr = true;
  /// See process_pool_options.
  std::string name = "actor";
};

namespace detail {

/// The object that lives in this worker.
template <class T>
inline std::unique_ptr<T> actor_object;

template <class T, class... Args>
void make_actor(Args... arguments) {
  actor_object<T> = std::make_unique<T>(std::move(arguments)...);
}

template <class T>
void end_actor() {
  actor_object<T>.reset();
}

template <class Method>
struct class_of;
template <class Member, class T>
struct class_of<Member T::*> {
  using type = T;
};

/// A type that can cross for one that cannot.
template <class T>
struct sent_as {
  using type = T;
};
template <>
struct sent_as<const char*> {
  using type = std::string;
};
template <>
struct sent_as<char*> {
  using type = std::string;
};

template <class T, auto Method>
void invoke_method(payload_reader& in, payload& out) {
  using types = signature<decltype(Method)>;
  typename types::values values;
  std::apply([&](auto&... each) { (decode(in, each), ...); }, values);
  T& object = *actor_object<T>;
  const auto call = [&]<std::size_t... I>(std::index_sequence<I...>)->decltype(auto) {
    return (object.*Method)(
        static_cast<std::tuple_element_t<I, typename types::parameters>&&>(std::get<I>(values))...);
  };
  constexpr auto each = std::make_index_sequence<std::tuple_size_v<typename types::values>>();
  if constexpr (std::is_void_v<typename types::result>) {
    call(each);
  } else {
    encode(out, call(each));
  }
}

template <class T, auto Method>
inline const remote_function& registered_method =
    register_function(spell<Method, std::remove_cvref_t<decltype(Method)>>(), &invoke_method<T, Method>);

}  // namespace detail

/// An object that lives in a worker process of its own: Ray's actor. Its methods run there one at a time, in
/// the order in which they are called, and keep their state between them.
///
///     weft::actor<learner> one({.restarts = 3}, settings);
///     future<double> loss = one.call<&learner::step>(batch);
///
/// If the constructor throws, so do the calls. If the process dies, the call that it ran fails with
/// worker_died; while there are restarts left the object is made anew and the calls that wait run on that
/// one, else they fail too, and so does every later call. What process_pool says about functions, arguments
/// and exceptions holds here too.
///
/// The destructor blocks: it lets the calls run that wait, for `shutdown_timeout` at most as process_pool's,
/// then destroys the object. In metrics() it is a pool of its name.
///
/// Thread safety: distinct objects safe; shared objects safe.
/// Cancellation: future::cancel() for a call; one that runs is stopped by ending the process, which costs a
/// restart. run() as future::async_get().
template <class T>
class actor {
 public:
  /// Makes the object, a T(arguments...), in a new process, without waiting for it. Throws invalid_argument
  /// if an option cannot work.
  template <class... Args>
  explicit actor(actor_options options, Args&&... arguments)
      : core_(detail::process_core::start(
            {.pool =
                 detail::checked(pool_options(options, remote_call::of<&detail::make_actor<T, sent<Args>...>>(
                                                           std::forward<Args>(arguments)...))),
             .restarts = options.restarts})) {}

  /// As above with no options.
  actor() : actor(actor_options{}) {}

  actor(const actor&) = delete;
  actor& operator=(const actor&) = delete;
  ~actor() { core_->close(); }

  /// Calls a method with these arguments in the object's process.
  template <auto Method, class... Args>
  future<detail::remote_result<Method>> call(Args&&... arguments) {
    static_assert(std::is_base_of_v<typename detail::class_of<decltype(Method)>::type, T>,
                  "no method of this actor");
    using result = detail::remote_result<Method>;
    auto* made = new detail::typed_process_call<result>(core_);
    auto handle = detail::future_access::make<result>(made);
    made->function = &detail::registered_method<T, Method>;
    detail::encode_arguments<decltype(Method)>(made->arguments, std::forward<Args>(arguments)...);
    made->retain();
    core_->submit(*made);
    return handle;
  }

  /// Calls a method, awaits it, and resumes on the awaiting coroutine's executor.
  template <auto Method, class... Args>
  task<detail::remote_result<Method>> run(Args... arguments) {
    auto result = call<Method>(std::move(arguments)...);
    co_return co_await result.async_get();
  }

 private:
  template <class Argument>
  using sent = typename detail::sent_as<std::decay_t<Argument>>::type;

  static process_pool_options pool_options(const actor_options& options, remote_call make) {
    return {.workers = 1,
            .threads_per_worker = options.threads,
            .initializer = std::move(make),
            .teardown = remote_call::of<&detail::end_actor<T>>(),
            .timeout = options.timeout,
            .memory_limit = options.memory_limit,
            .environment = options.environment,
            .niceness = options.niceness,
            .start_timeout = options.start_timeout,
            .shutdown_timeout = options.shutdown_timeout,
            .forward_stderr = options.forward_stderr,
            .name = options.name};
  }

  std::shared_ptr<detail::process_core> core_;
};

}  // namespace weft
