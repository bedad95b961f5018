#pragma once

#include <weft/async/detail/waiter.hpp>
#include <weft/async/run.hpp>
#include <weft/async/task.hpp>
#include <weft/async/timeout.hpp>
#include <weft/core/error.hpp>
#include <weft/observe/span.hpp>
#include <weft/serve/batcher_options.hpp>
#include <weft/serve/detail/request_line.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <chrono>       // for std::chrono::duration
#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::uint64_t
#include <exception>    // for std::exception_ptr
#include <functional>   // for std::function
#include <optional>     // for std::optional
#include <span>         // for std::span
#include <string>       // for std::to_string
#include <thread>       // for std::jthread
#include <type_traits>  // for std::is_nothrow_move_constructible_v
#include <utility>      // for std::move
#include <vector>       // for std::vector

namespace weft {

/// Turns single requests into batches for a model, and gives each its own result: the micro-batching of an
/// inference server, for any function.
///
/// The model is `std::vector<Response> model(std::span<const Request>)`, one response a request and in their
/// order, or a coroutine `task<std::vector<Response>>` of the same. It runs on a thread of the batcher's own,
/// one per instance, or with `run_on_loop` mostly on the loops that ask; what it computes with, a pool or an
/// executor, is its affair. With several instances it is called concurrently.
///
/// An instance that is idle takes a batch as soon as one is due (see batcher_options), and always as many
/// requests as wait, up to the limit. Requests that coroutines make in one turn of their event loop come
/// together: an idle instance is told of them when the turn ends, or after a fraction of a millisecond. If
/// the model throws, or returns another number of responses, the requests of that batch get the exception, or
/// with `isolate_failures` only those that fail alone; the next batch is not concerned.
///
/// Destruction is close() and waits until all that were accepted have been answered. Nothing may wait in
/// infer() while the batcher is destroyed but what those answers wake.
///
/// Thread safety: infer(), infer_wait(), close() and stats() may be called from any thread.
/// Cancellation: infer() that is cancelled, or whose time is over, leaves at once: out of the queue before it
/// costs anything, or out of a batch that runs, whose other requests go on.
template <class Request, class Response>
class batcher {
  static_assert(std::is_nothrow_move_constructible_v<Request> &&
                std::is_nothrow_move_constructible_v<Response>);

 public:
  /// How requests are told apart that cannot share a batch, by their shapes for example: only requests with
  /// the same number do.
  using grouping = std::function<std::uint64_t(const Request&)>;

  /// @param model the model; see above
  /// @param options throws invalid_argument, naming it, if one has a value that cannot work
  /// @param group if not empty, what separates requests; called on the threads that call infer()
  template <class Model>
  explicit batcher(Model model, batcher_options options = {}, grouping group = {})
      : model_(callable(std::move(model))),
        group_(std::move(group)),
        line_(std::move(options), [this] { serve_due(); }) {
    try {
      for (std::size_t i = 0; i < line_.options().instances; ++i)
        instances_.emplace_back([this] { serve(); });
    } catch (...) {
      line_.close();  // those that have been started leave
      throw;
    }
  }

  batcher(const batcher&) = delete;
  batcher& operator=(const batcher&) = delete;

  ~batcher() {
    line_.close();
    line_.dismiss_loops();
  }

  /// Waits for the request's batch and returns its response. Throws what the model throws, `overloaded` at
  /// once if too many wait or if it cannot be done within the time limit, timeout_error, batcher_closed, or
  /// invalid_argument.
  task<Response> infer(Request request, infer_options options = {}) {
    const bool limited = options.timeout.count() != 0 || line_.options().default_timeout.count() != 0;
    if (limited) return answer_in_time(std::move(request), options);
    return answer(std::move(request), options, detail::batch_clock::time_point::max());
  }

  /// As infer(), blocking the calling thread: never call it on a thread that runs an event loop.
  Response infer_wait(Request request, infer_options options = {}) {
    const std::size_t level = level_of(options);
    const std::chrono::microseconds limit = limit_of(options);
    detail::thread_waiter self;
    const auto deadline =
        limit.count() == 0 ? detail::batch_clock::time_point::max() : detail::batch_clock::now() + limit;
    entry mine(std::move(request), self, level, group_, deadline);
    const async_span waiting(line_.options().name);
    if (line_.enlist(mine)) {
      if (limit.count() == 0) {
        self.block();
      } else if (!self.block_until(deadline)) {
        line_.withdraw(mine);
        self.block();  // whoever settled it is waking it
      }
    }
    if (self.failure) std::rethrow_exception(self.failure);
    if (self.reason() == detail::wake_reason::cancelled) throw timeout_error();
    return std::move(*mine.response);
  }

  /// Refuses new requests from now on; those that wait are served without further delay. Idempotent.
  void close() { line_.close(); }

  /// What it has done and does; a momentary value.
  batcher_stats stats() const { return line_.stats(); }

  /// The options it was made with.
  const batcher_options& options() const noexcept { return line_.options(); }

 private:
  using model_type = std::function<std::vector<Response>(std::span<const Request>)>;

  struct entry : detail::request_entry {
    entry(Request&& what, detail::waiter& waiting, std::size_t priority, const grouping& separate,
          detail::batch_clock::time_point latest)
        : request_entry(waiting, priority, separate ? separate(what) : 0, latest), request(std::move(what)) {}
    std::optional<Request> request;  // but while the model has it
    std::optional<Response> response;
  };

  template <class Model>
  static model_type callable(Model model) {
    using result = std::invoke_result_t<Model&, std::span<const Request>>;
    if constexpr (std::is_same_v<result, task<std::vector<Response>>>) {
      return [model = std::move(model)](std::span<const Request> requests) mutable {
        return run(model(requests));
      };
    } else {
      static_assert(std::is_same_v<result, std::vector<Response>>,
                    "the model must return std::vector<Response>, or a task of it");
      return model;
    }
  }

  std::size_t level_of(const infer_options& options) const {
    const std::size_t levels = line_.options().priority_levels;
    if (options.priority > levels) {
      throw invalid_argument("batcher: the priority is " + std::to_string(options.priority) +
                             ", it must be 1 to " + std::to_string(levels) + ", or 0 for the last");
    }
    return (options.priority == 0 ? levels : options.priority) - 1;
  }

  std::chrono::microseconds limit_of(const infer_options& options) const {
    if (options.timeout.count() < 0) {
      throw invalid_argument("batcher: the timeout is " + std::to_string(options.timeout.count()) +
                             " us, it must not be negative");
    }
    return options.timeout.count() != 0 ? options.timeout : line_.options().default_timeout;
  }

  task<Response> answer_in_time(Request request, infer_options options) {
    const std::chrono::microseconds limit = limit_of(options);
    const auto deadline = detail::batch_clock::now() + limit;
    Response response = co_await timeout(answer(std::move(request), options, deadline), limit);
    co_return response;
  }

  task<Response> answer(Request request, infer_options options, detail::batch_clock::time_point deadline) {
    detail::coroutine_waiter self;
    entry mine(std::move(request), self, level_of(options), group_, deadline);
    const boost::asio::any_io_executor executor = co_await boost::asio::this_coro::executor;
    const auto* const direct = executor.template target<boost::asio::io_context::executor_type>();
    boost::asio::io_context* const loop = direct != nullptr ? &direct->context() : nullptr;
    auto enlist = [&] { return line_.enlist(mine, loop); };
    auto cancel = [&] { line_.withdraw(mine); };
    const async_span waiting(line_.options().name);
    co_await self.suspend(enlist, cancel);
    if (self.failure) std::rethrow_exception(self.failure);
    if (self.reason() == detail::wake_reason::cancelled) throw cancelled();
    co_return std::move(*mine.response);
  }

  /// What became of one request.
  struct outcome {
    std::optional<Response> response;
    std::exception_ptr failure;
  };

  std::vector<Response> responses_to(std::span<const Request> requests) {
    std::vector<Response> responses = model_(requests);
    if (responses.size() != requests.size()) {
      throw error("batcher: the model returned " + std::to_string(responses.size()) + " responses to " +
                  std::to_string(requests.size()) + " requests, it must return one each");
    }
    return responses;
  }

  // What runs a batch: an instance, or a loop in its place.
  struct server {
    std::vector<detail::request_entry*> seats;
    std::vector<Request> requests;

    auto load() {
      return [this](detail::request_entry& each) {
        requests.push_back(std::move(*static_cast<entry&>(each).request));
      };
    }
  };

  // An instance.
  void serve() {
    server mine;
    const std::size_t most = line_.options().max_batch_size;
    mine.seats.reserve(most);
    mine.requests.reserve(most);
    while (const std::optional<std::uint64_t> number = line_.take(mine.seats, mine.load())) {
      run_batch(*number, mine);
    }
  }

  // On the thread of a loop.
  void serve_due() {
    server mine;
    const auto begin = detail::batch_clock::now();
    while (const std::optional<std::uint64_t> number = line_.take_due(mine.seats, mine.load(), begin)) {
      run_batch(*number, mine);
    }
  }

  void run_batch(std::uint64_t number, server& mine) {
    std::vector<Request>& requests = mine.requests;
    // Who asked destroys the request: on the thread that allocated it, mostly.
    const auto give_back = [&](entry& each, std::size_t i) { each.request.emplace(std::move(requests[i])); };
    const span running(line_.options().name, "requests", static_cast<double>(requests.size()));
    const auto begin = detail::batch_clock::now();
    std::vector<Response> responses;
    std::exception_ptr failure;
    try {
      responses = responses_to(requests);
    } catch (...) {
      failure = std::current_exception();
    }
    const std::chrono::duration<double> took = detail::batch_clock::now() - begin;
    if (failure && requests.size() > 1 && line_.options().isolate_failures) {
      std::vector<outcome> outcomes = one_by_one(requests);
      line_.finish(number, mine.seats, took.count(), false, [&](detail::request_entry& each, std::size_t i) {
        auto& asked = static_cast<entry&>(each);
        give_back(asked, i);
        each.who.failure = std::move(outcomes[i].failure);
        if (outcomes[i].response) asked.response.emplace(std::move(*outcomes[i].response));
      });
    } else {
      line_.finish(number, mine.seats, took.count(), !failure,
                   [&](detail::request_entry& each, std::size_t i) {
                     auto& asked = static_cast<entry&>(each);
                     give_back(asked, i);
                     each.who.failure = failure;
                     if (!failure) asked.response.emplace(std::move(responses[i]));
                   });
    }
    requests.clear();
  }

  std::vector<outcome> one_by_one(std::span<const Request> requests) {
    std::vector<outcome> outcomes(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      try {
        outcomes[i].response.emplace(std::move(responses_to(requests.subspan(i, 1)).front()));
      } catch (...) {
        outcomes[i].failure = std::current_exception();
      }
    }
    return outcomes;
  }

  const model_type model_;
  const grouping group_;
  detail::request_line line_;
  std::vector<std::jthread> instances_;  // last: joined before what they use goes
};

}  // namespace weft
