// What batching costs: clients that ask again as soon as they are answered, and a model that does next to
// nothing.

#include <weft/async/gather.hpp>
#include <weft/async/run.hpp>
#include <weft/serve/batcher.hpp>

#include <benchmark/benchmark.h>

#include <span>
#include <vector>

namespace {

constexpr int requests_per_client = 1000;

std::vector<int> doubled(std::span<const int> requests) {
  std::vector<int> responses;
  responses.reserve(requests.size());
  for (const int request : requests) responses.push_back(2 * request);
  return responses;
}

weft::task<long> ask(weft::batcher<int, int>& batches) {
  long sum = 0;
  for (int i = 0; i < requests_per_client; ++i) sum += co_await batches.infer(i);
  co_return sum;
}

weft::task<long> all_clients(weft::batcher<int, int>& batches, int clients) {
  std::vector<weft::task<long>> asking;
  for (int i = 0; i < clients; ++i) asking.push_back(ask(batches));
  const std::vector<long> sums = co_await weft::gather(std::move(asking));
  long sum = 0;
  for (const long each : sums) sum += each;
  co_return sum;
}

void no_op_model(benchmark::State& state, bool run_on_loop) {
  const int clients = static_cast<int>(state.range(0));
  weft::batcher<int, int> batches(doubled, {.max_batch_size = 32, .run_on_loop = run_on_loop});
  for (auto _ : state) {
    if (weft::run(all_clients(batches, clients)) !=
        long{clients} * requests_per_client * (requests_per_client - 1))
      return state.SkipWithError("a response was lost or went to somebody else");
  }
  state.SetItemsProcessed(state.iterations() * clients * requests_per_client);
  const weft::batcher_stats stats = batches.stats();
  state.counters["mean_batch"] = static_cast<double>(stats.accepted) / static_cast<double>(stats.batches);
}

BENCHMARK_CAPTURE(no_op_model, own_thread, false)
    ->Name("no_op_model/weft")
    ->Arg(1)
    ->Arg(64)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(no_op_model, on_loop, true)
    ->Name("no_op_model/weft_on_loop")
    ->Arg(1)
    ->Arg(64)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
