#include "workload.hpp"

#include <coro/coro.hpp>

#include <atomic>
#include <memory>
#include <vector>

namespace {

using namespace queue_benchmark;

template <std::size_t Capacity>
coro::task<void> produce(coro::thread_pool& threads, coro::ring_buffer<int, Capacity>& out,
                         std::int64_t count) {
  co_await threads.schedule();
  for (std::int64_t i = 0; i < count; ++i) co_await out.produce(static_cast<int>(i));
}

template <std::size_t Capacity>
coro::task<void> consume(coro::thread_pool& threads, coro::ring_buffer<int, Capacity>& in, std::int64_t count,
                         std::atomic<std::int64_t>& total) {
  co_await threads.schedule();
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    auto item = co_await in.consume();
    sum += *item;
  }
  total += sum;
}

template <std::size_t Capacity>
std::int64_t pass(const workload& work) {
  auto threads = coro::thread_pool::make_unique(
      coro::thread_pool::options{.thread_count = static_cast<std::uint32_t>(work.threads)});
  coro::ring_buffer<int, Capacity> items;
  std::atomic<std::int64_t> total{0};
  std::vector<coro::task<void>> tasks;
  for (int i = 0; i < work.producers; ++i) tasks.push_back(produce(*threads, items, work.per_producer()));
  for (int i = 0; i < work.consumers; ++i)
    tasks.push_back(consume(*threads, items, work.per_consumer(), total));
  coro::sync_wait(coro::when_all(std::move(tasks)));
  return total.load();
}

const bool registered = [] {
  for (const auto& [name, work] : cases()) {
    add_case(name, "libcoro_ring_buffer", work, work.capacity == 10 ? pass<10> : pass<1024>);
  }
  return true;
}();

}  // namespace
