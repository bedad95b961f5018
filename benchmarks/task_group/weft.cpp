#include "workload.hpp"

#include <weft/async/gather.hpp>
#include <weft/async/run.hpp>
#include <weft/async/task_group.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <utility>  // for std::move
#include <vector>   // for std::vector

namespace {

using weft::task;

void weft_task_group(benchmark::State& state, work child) {
  std::atomic<long> sum{0};
  weft::run([](benchmark::State& loop, work one, std::atomic<long>& out) -> task<> {
    for (auto _ : loop) {
      co_await weft::with_task_group([&](weft::task_group& group) -> task<> {
        for (auto i = loop.range(0); i > 0; --i) group.spawn(one(out));
        co_return;
      });
    }
  }(state, child, sum));
  check(state, sum);
}

void weft_gather(benchmark::State& state, work child) {
  std::atomic<long> sum{0};
  weft::run([](benchmark::State& loop, work one, std::atomic<long>& out) -> task<> {
    for (auto _ : loop) {
      std::vector<task<>> tasks;
      for (auto i = loop.range(0); i > 0; --i) tasks.push_back(one(out));
      co_await weft::gather(std::move(tasks));
    }
  }(state, child, sum));
  check(state, sum);
}

void weft_task_group_on_pool(benchmark::State& state, work child) {
  std::atomic<long> sum{0};
  boost::asio::thread_pool threads(2);
  for (auto _ : state) {
    boost::asio::co_spawn(threads, weft::with_task_group([&](weft::task_group& group) -> task<> {
                            for (auto i = state.range(0); i > 0; --i) group.spawn(child(sum));
                            co_return;
                          }),
                          boost::asio::use_future)
        .get();
  }
  check(state, sum);
}

BENCHMARK_CAPTURE(weft_task_group, ready, ready)->Name("ready/weft")->Arg(1)->Arg(1000);
BENCHMARK_CAPTURE(weft_gather, ready, ready)->Name("ready/weft_gather")->Arg(1)->Arg(1000);
BENCHMARK_CAPTURE(weft_task_group, waiting, waiting)->Name("waiting/weft")->Arg(1)->Arg(1000)->Arg(100000);
BENCHMARK_CAPTURE(weft_gather, waiting, waiting)->Name("waiting/weft_gather")->Arg(1)->Arg(1000);
BENCHMARK_CAPTURE(weft_task_group_on_pool, waiting, waiting)->Name("on_pool/weft")->Arg(1000)->UseRealTime();

}  // namespace
