#include "coroutines.hpp"
#include "workload.hpp"

#include <weft/async/queue.hpp>
#include <weft/async/run.hpp>

#include <benchmark/benchmark.h>

#include <span>
#include <thread>

namespace {

using namespace queue_benchmark;

template <class T>
struct weft_channel {
  explicit weft_channel(std::size_t capacity) : items(capacity) {}
  auto send(T value) { return items.push(std::move(value)); }
  auto receive() { return items.pop(); }
  weft::queue<T> items;
};

template <class T>
auto make_channel = [](boost::asio::io_context&, std::size_t capacity) {
  return std::make_unique<weft_channel<T>>(capacity);
};

std::int64_t pass_one_by_one(const workload& work) {
  return pass_between_coroutines(work, make_channel<int>);
}

weft::task<> produce_by_64(weft::queue<int>& out, std::int64_t count) {
  std::vector<int> some(64);
  for (std::int64_t i = 0; i < count;) {
    const auto size = static_cast<std::size_t>(std::min<std::int64_t>(64, count - i));
    for (std::size_t k = 0; k < size; ++k) some[k] = static_cast<int>(i++);
    co_await out.push_all(std::span(some).first(size));
  }
  out.close();
}

weft::task<std::int64_t> consume_by_64(weft::queue<int>& in) {
  std::int64_t sum = 0;
  while (true) {
    const auto some = co_await in.pop_some(64);
    if (some.empty()) break;
    for (const int item : some) sum += item;
  }
  co_return sum;
}

std::int64_t pass_by_64(const workload& work) {
  weft::queue<int> items(work.capacity);
  std::thread producer([&] { weft::run(produce_by_64(items, work.items)); });
  const std::int64_t sum = weft::run(consume_by_64(items));
  producer.join();
  return sum;
}

const bool registered = [] {
  for (const auto& [name, work] : cases()) add_case(name, "weft", work, pass_one_by_one);
  const workload bulk{1, 1, 2, 1024, 4'000'000};
  add_case("2_threads_1p1c_by_64_capacity_1024", "weft", bulk, pass_by_64);
  add_case("2_threads_1p1c_by_64_capacity_1024", "single_items", bulk, pass_one_by_one);
  add_batch_case("weft", make_channel<payload>);
  add_ping_pong_case("weft", make_channel<int>);
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
