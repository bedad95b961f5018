#include "workload.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>

#include <exception>  // for std::exception_ptr
#include <future>     // for std::promise
#include <utility>    // for std::move
#include <vector>     // for std::vector

namespace {

namespace asio = boost::asio;
using weft::task;

void in_asio_loop(task<> main) {
  asio::io_context loop(1);
  asio::co_spawn(loop, std::move(main), asio::detached);
  loop.run();
}

/// The least that Asio can do: a callback counts the children and stops a timer; errors and cancellation are
/// left out.
void asio_co_spawn_callback(benchmark::State& state, work child) {
  std::atomic<long> sum{0};
  in_asio_loop([](benchmark::State& loop, work one, std::atomic<long>& out) -> task<> {
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer all(executor);
    for (auto _ : loop) {
      auto left = loop.range(0);
      all.expires_at(asio::steady_timer::time_point::max());
      for (auto i = loop.range(0); i > 0; --i) {
        asio::co_spawn(executor, one(out), [&](std::exception_ptr) {
          if (--left == 0) all.cancel();
        });
      }
      boost::system::error_code stopped;
      if (left != 0) co_await all.async_wait(asio::redirect_error(asio::use_awaitable, stopped));
    }
  }(state, child, sum));
  check(state, sum);
}

/// What a task group promises, as Asio spells it: errors are kept, and cancelling the whole cancels the
/// parts.
void asio_co_spawn_parallel_group(benchmark::State& state, work child) {
  std::atomic<long> sum{0};
  in_asio_loop([](benchmark::State& loop, work one, std::atomic<long>& out) -> task<> {
    const auto executor = co_await asio::this_coro::executor;
    using operation = decltype(asio::co_spawn(executor, one(out), asio::deferred));
    for (auto _ : loop) {
      std::vector<operation> operations;
      for (auto i = loop.range(0); i > 0; --i) {
        operations.push_back(asio::co_spawn(executor, one(out), asio::deferred));
      }
      co_await asio::experimental::make_parallel_group(std::move(operations))
          .async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
    }
  }(state, child, sum));
  check(state, sum);
}

void asio_co_spawn_use_awaitable(benchmark::State& state, work child) {
  std::atomic<long> sum{0};
  in_asio_loop([](benchmark::State& loop, work one, std::atomic<long>& out) -> task<> {
    const auto executor = co_await asio::this_coro::executor;
    for (auto _ : loop) {
      for (auto i = loop.range(0); i > 0; --i)
        co_await asio::co_spawn(executor, one(out), asio::use_awaitable);
    }
  }(state, child, sum));
  check(state, sum);
}

/// A strand each, which cancelling them later would need.
void asio_co_spawn_callback_on_pool(benchmark::State& state, work child) {
  std::atomic<long> sum{0};
  asio::thread_pool threads(2);
  for (auto _ : state) {
    std::atomic<long> left{state.range(0)};
    std::promise<void> all;
    asio::post(threads, [&] {
      for (auto i = state.range(0); i > 0; --i) {
        asio::co_spawn(asio::make_strand(threads), child(sum), [&](std::exception_ptr) {
          if (left.fetch_sub(1) == 1) all.set_value();
        });
      }
    });
    all.get_future().get();
  }
  check(state, sum);
}

BENCHMARK_CAPTURE(asio_co_spawn_callback, ready, ready)
    ->Name("ready/asio_co_spawn_callback")
    ->Arg(1)
    ->Arg(1000);
BENCHMARK_CAPTURE(asio_co_spawn_parallel_group, ready, ready)
    ->Name("ready/asio_co_spawn_parallel_group")
    ->Arg(1)
    ->Arg(1000);
BENCHMARK_CAPTURE(asio_co_spawn_use_awaitable, ready, ready)
    ->Name("ready/asio_co_spawn_use_awaitable")
    ->Arg(1)
    ->Arg(1000);
BENCHMARK_CAPTURE(asio_co_spawn_callback, waiting, waiting)
    ->Name("waiting/asio_co_spawn_callback")
    ->Arg(1)
    ->Arg(1000)
    ->Arg(100000);
BENCHMARK_CAPTURE(asio_co_spawn_parallel_group, waiting, waiting)
    ->Name("waiting/asio_co_spawn_parallel_group")
    ->Arg(1)
    ->Arg(1000)
    ->Arg(100000);
BENCHMARK_CAPTURE(asio_co_spawn_use_awaitable, waiting, waiting)
    ->Name("waiting/asio_co_spawn_use_awaitable")
    ->Arg(1)
    ->Arg(1000);
BENCHMARK_CAPTURE(asio_co_spawn_callback_on_pool, waiting, waiting)
    ->Name("on_pool/asio_co_spawn_callback")
    ->Arg(1000)
    ->UseRealTime();

}  // namespace
