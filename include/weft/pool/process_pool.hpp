#pragma once

#include <weft/core/error.hpp>
#include <weft/pool/detail/process_core.hpp>
#include <weft/pool/detail/this_worker.hpp>
#include <weft/pool/future.hpp>
#include <weft/pool/remote.hpp>

#include <algorithm>    // for std::max
#include <cstddef>      // for std::size_t
#include <memory>       // for std::shared_ptr
#include <optional>     // for std::optional
#include <ranges>       // for std::ranges::forward_range
#include <string>       // for std::string
#include <type_traits>  // for std::is_void_v
#include <utility>      // for std::move, std::forward
#include <vector>       // for std::vector

namespace weft {

template <class R>
class delayed_value;

namespace detail {

/// Throws invalid_argument, naming the option, if one cannot work; fills in the number of workers.
process_pool_options checked(process_pool_options options);

/// What F takes, when it takes one thing.
template <auto F>
using only_parameter = std::tuple_element_t<0, typename signature<decltype(F)>::values>;

/// Several calls of F in one message. The arguments come as their number and one after the other.
template <auto F>
void invoke_for_each(payload_reader& in, payload& out) {
  using value = only_parameter<F>;
  using parameter = std::tuple_element_t<0, typename signature<decltype(F)>::parameters>;
  std::uint64_t count = 0;
  in.read(&count, sizeof(count));
  for (std::uint64_t i = 0; i < count; ++i) {
    value argument{};
    decode(in, argument);
    if constexpr (std::is_void_v<remote_result<F>>) {
      F(static_cast<parameter&&>(argument));
    } else {
      encode(out, F(static_cast<parameter&&>(argument)));
    }
  }
}

template <auto F>
inline const remote_function& registered_for_each = register_function(
    std::string(spell<F, std::remove_cvref_t<decltype(F)>>()) + " for each", &invoke_for_each<F>);

/// The results of one part of a map, where they belong.
template <class R>
struct part_of_map {
  std::vector<R>* results;
  std::size_t begin;
  std::size_t count;
};

template <class R>
class map_call final : public typed_call<void>, public process_call {
 public:
  map_call(std::shared_ptr<process_core> core, part_of_map<R> part)
      : typed_call<void>(shared_call::running), core_(std::move(core)), part_(part) {}

  bool cancel() noexcept override { return core_->cancel(*this); }
  void help() noexcept override { core_->help(*this); }
  void store_result(payload_reader& in) override {
    if constexpr (!std::is_void_v<R>) {
      for (std::size_t i = part_.begin; i < part_.begin + part_.count; ++i) {
        if constexpr (std::is_same_v<R, bool>) {
          bool value = false;
          decode(in, value);
          (*part_.results)[i] = value;
        } else {
          decode(in, (*part_.results)[i]);
        }
      }
    }
    result_.template emplace<1>();
  }
  void store_error(std::exception_ptr error) noexcept override { fail(std::move(error)); }
  void complete() noexcept override { finish(); }
  shared_call& shared() noexcept override { return *this; }

 private:
  void execute() noexcept override {}  // never: it is claimed from the start

  std::shared_ptr<process_core> core_;
  part_of_map<R> part_;
};

template <>
struct part_of_map<void> {};

/// Calls F with each item, many in a message, and waits. After an error the rest is cancelled.
template <auto F, class Range>
auto map_over(const std::shared_ptr<process_core>& core, const std::shared_ptr<const call_options>& options,
              Range&& items, std::size_t chunk) {
  static_assert(std::tuple_size_v<typename signature<decltype(F)>::values> == 1,
                "map() needs a function of one argument");
  using result = remote_result<F>;
  const auto count = static_cast<std::size_t>(std::ranges::distance(items));
  // Eight parts a worker: the last one to finish is not far behind the others.
  const auto parts = static_cast<std::size_t>(core->workers()) * 8;
  if (chunk == 0) chunk = std::max<std::size_t>((count + parts - 1) / parts, 1);
  std::conditional_t<std::is_void_v<result>, int, std::vector<result>> results{};
  if constexpr (!std::is_void_v<result>) results.resize(count);
  std::vector<future<void>> calls;
  // Whatever happens, no call may be left that stores into `results`.
  struct guard {
    std::vector<future<void>>& all;
    ~guard() {
      for (auto& call : all) {
        if (call.valid()) call.cancel();
      }
      for (auto& call : all) {
        if (call.valid()) call.wait();
      }
    }
  };
  {
    const guard at_end{calls};
    auto next = std::ranges::begin(items);
    for (std::size_t begin = 0; begin < count; begin += chunk) {
      const std::size_t size = std::min(chunk, count - begin);
      part_of_map<result> part{};
      if constexpr (!std::is_void_v<result>) part = {&results, begin, size};
      auto* call = new map_call<result>(core, part);
      calls.push_back(future_access::make<void>(call));
      call->function = &registered_for_each<F>;
      call->options = options;
      const auto number = static_cast<std::uint64_t>(size);
      call->arguments.append(&number, sizeof(number));
      for (std::size_t i = 0; i < size; ++i, ++next) {
        encode_argument<only_parameter<F>>(call->arguments, *next);
      }
      call->retain();
      core->submit(*call);
    }
    for (auto& call : calls) call.get();
  }
  if constexpr (!std::is_void_v<result>) return results;
}

}  // namespace detail

/// Worker processes that run functions: concurrent.futures' ProcessPoolExecutor, which a crash does not
/// break.
///
///     int count_words(const std::string& text);
///
///     weft::process_pool pool;
///     future<int> words = pool.submit<&count_words>(text);
///
/// A function is a template argument: the workers run the same program and know it by its name. Its arguments
/// and its result are of types that cereal knows (containers of the standard library, move-only ones too,
/// classes with cereal's functions), plain aggregates, shared_array or object_ref, and default-constructible.
/// More than 64 KB of them go through shared memory. What a call prints goes where the program's output goes.
///
/// The workers are forked from a copy of the program that runs its static initialisers and nothing else, so
/// they inherit neither threads nor locks nor what main() has done.
///
/// A worker that dies fails the call that it ran with worker_died and is replaced; calls that were waiting
/// there go to another worker, and a call runs at most once unless `retries` says otherwise. Exceptions
/// arrive as themselves where their type is registered (register_error()), else as remote_error. If workers
/// die while they start, three in a row or one whose initializer throws, the calls that wait fail with the
/// reason; the next submit() tries again. When this process ends, however it does, the workers end too.
///
/// The destructor blocks: it lets what is queued run, then ends the workers; cancel_queued() first if that is
/// not wanted. It does not wait for ever: what has not ended after `shutdown_timeout` fails with pool_closed,
/// by killing its worker if it runs. Calls start by priority, then in the order in which they were submitted.
///
/// metrics() has the gauges weft_pool_queued_calls and weft_pool_running_calls with the label `pool`, the
/// pool's name; pools of one name add up.
///
/// Thread safety: distinct objects safe; shared objects safe. A forked child must not use its parent's pools.
/// Cancellation: future::cancel() for a submitted call, also while it runs; run() as future::async_get().
class process_pool {
 public:
  /// Starts the workers without waiting for them. Throws invalid_argument if an option cannot work, and error
  /// if this program cannot have workers; what() says why.
  explicit process_pool(process_pool_options options = {})
      : core_(detail::process_core::start({.pool = detail::checked(std::move(options))})) {}

  process_pool(const process_pool&) = delete;
  process_pool& operator=(const process_pool&) = delete;
  ~process_pool() { core_->close(); }

  /// How many workers there are, which is how many calls run at the same time.
  int workers() const noexcept { return core_->workers(); }

  /// Cancels every call that no worker has begun: its future throws `cancelled`. Returns how many there were.
  /// With the destructor after it, this is shutdown(cancel_futures=True).
  std::size_t cancel_queued() noexcept { return core_->cancel_queued(); }

  /// The workers' process numbers at this moment.
  std::vector<int> process_ids() const { return core_->process_ids(); }

  /// Which of its pool's workers runs this, from 0, in a call or an initializer; -1 in any other process.
  static int this_worker_index() noexcept { return detail::this_worker_index(); }

  /// The pool with options of its own for some calls; it must not outlive the pool.
  class configured {
   public:
    /// As process_pool::submit().
    template <auto F, class... Args>
    future<detail::remote_result<F>> submit(Args&&... arguments) {
      return detail::submit_call<F>(core_, options_, std::forward<Args>(arguments)...);
    }
    /// As process_pool::run().
    template <auto F, class... Args>
    task<detail::remote_result<F>> run(Args... arguments) {
      auto result = submit<F>(std::move(arguments)...);
      co_return co_await result.async_get();
    }
    /// As process_pool::map().
    template <auto F, std::ranges::forward_range Range>
    auto map(Range&& items, std::size_t chunk = 0) {
      return detail::map_over<F>(core_, options_, std::forward<Range>(items), chunk);
    }

   private:
    friend class process_pool;
    configured(std::shared_ptr<detail::process_core> core, call_options options)
        : core_(std::move(core)), options_(std::make_shared<const call_options>(std::move(options))) {}
    std::shared_ptr<detail::process_core> core_;
    std::shared_ptr<const call_options> options_;
  };

  /// `pool.with({.priority = 1}).submit<&f>(x)`. Throws invalid_argument if an option cannot work.
  configured with(call_options options);

  /// Calls F(arguments...) in a worker. The arguments are read before this returns.
  template <auto F, class... Args>
  future<detail::remote_result<F>> submit(Args&&... arguments) {
    return detail::submit_call<F>(core_, nullptr, std::forward<Args>(arguments)...);
  }

  /// Calls F(arguments...) in a worker, awaits it, and resumes on the awaiting coroutine's executor.
  template <auto F, class... Args>
  task<detail::remote_result<F>> run(Args... arguments) {
    auto result = submit<F>(std::move(arguments)...);
    co_return co_await result.async_get();
  }

  /// Calls F with each item and returns the results in order; blocks. `chunk` items go to a worker at a time;
  /// 0 makes eight chunks a worker. If a call throws or its worker dies, the others are cancelled, running
  /// ones too, and the exception is rethrown.
  template <auto F, std::ranges::forward_range Range>
  auto map(Range&& items, std::size_t chunk = 0) {
    return detail::map_over<F>(core_, nullptr, std::forward<Range>(items), chunk);
  }

 private:
  template <class>
  friend class delayed_value;
  std::shared_ptr<detail::process_core> core_;
};

/// Sends a value from a call that runs in a worker to call_options::on_progress in the process that submitted
/// it; does nothing elsewhere. Values arrive in order and before the call's result.
///
/// Thread safety: safe, also from several threads of one call.
template <class T>
void report_progress(const T& value) {
  if (detail::this_worker_index() < 0) return;
  detail::payload bytes;
  detail::encode(bytes, value);
  detail::send_report(bytes);
}

}  // namespace weft
