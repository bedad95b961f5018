#pragma once

// The workload for queues between Asio coroutines. `Channel` has send(value) and receive() as awaitables;
// what is received may be an optional.

#include "workload.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace queue_benchmark {

template <class T>
T&& item_of(T&& item) {
  return std::forward<T>(item);
}
template <class T>
T&& item_of(std::optional<T>&& item) {
  return std::move(*item);
}

template <class Channel>
boost::asio::awaitable<void> produce(Channel& out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) co_await out.send(static_cast<int>(i));
}

template <class Channel>
boost::asio::awaitable<void> consume(Channel& in, std::int64_t count, std::atomic<std::int64_t>& total) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += item_of(co_await in.receive());
  total += sum;
}

/// Hands `batches` over through the channel, one loop to the other, and puts them back when all have arrived.
template <class Make>
bool pass_batches(std::vector<payload>& batches, std::size_t capacity, Make make) {
  boost::asio::io_context sending(1);
  boost::asio::io_context receiving(1);
  auto channel = make(sending, capacity);
  std::vector<payload> received;
  received.reserve(batches.size());
  boost::asio::co_spawn(
      sending,
      [](auto& out, std::vector<payload>& from) -> boost::asio::awaitable<void> {
        for (auto& batch : from) co_await out.send(std::move(batch));
      }(*channel, batches),
      boost::asio::detached);
  boost::asio::co_spawn(
      receiving,
      [](auto& in, std::vector<payload>& to) -> boost::asio::awaitable<void> {
        while (to.size() < to.capacity()) to.push_back(item_of(co_await in.receive()));
      }(*channel, received),
      boost::asio::detached);
  std::thread sender([&] { sending.run(); });
  receiving.run();
  sender.join();
  const bool all = received.size() == batches.size() && received.back().size() == payload_bytes;
  batches = std::move(received);
  return all;
}

template <class Make>
void add_batch_case(const std::string& runtime, Make make) {
  benchmark::RegisterBenchmark(
      ("2_threads_600_kb_batches_capacity_10/" + runtime).c_str(),
      [make](benchmark::State& state) {
        std::vector<payload> batches(1000, payload(payload_bytes));
        for (auto _ : state) {
          if (!pass_batches(batches, 10, make)) return state.SkipWithError("batches were lost");
        }
        state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(batches.size()));
      })
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

/// An item goes to the other thread and back, over two channels of capacity 1.
template <class Make>
void add_ping_pong_case(const std::string& runtime, Make make) {
  benchmark::RegisterBenchmark(("2_threads_ping_pong/" + runtime).c_str(),
                               [make](benchmark::State& state) {
                                 constexpr int rounds = 10'000;
                                 for (auto _ : state) {
                                   boost::asio::io_context here(1);
                                   boost::asio::io_context there(1);
                                   auto ping = make(here, 1);
                                   auto pong = make(there, 1);
                                   int last = -1;
                                   boost::asio::co_spawn(
                                       here,
                                       [](auto& out, auto& in, int& seen) -> boost::asio::awaitable<void> {
                                         for (int i = 0; i < rounds; ++i) {
                                           co_await out.send(i);
                                           seen = item_of(co_await in.receive());
                                         }
                                       }(*ping, *pong, last),
                                       boost::asio::detached);
                                   boost::asio::co_spawn(
                                       there,
                                       [](auto& in, auto& out) -> boost::asio::awaitable<void> {
                                         for (int i = 0; i < rounds; ++i) {
                                           const int item = item_of(co_await in.receive());
                                           co_await out.send(item);
                                         }
                                       }(*ping, *pong),
                                       boost::asio::detached);
                                   std::thread other([&] { there.run(); });
                                   here.run();
                                   other.join();
                                   if (last != rounds - 1) return state.SkipWithError("an item was lost");
                                 }
                                 state.SetItemsProcessed(state.iterations() * rounds);
                               })
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

/// `make(context, capacity)` builds the channel. With two threads each runs an event loop of its own: one
/// producer and one consumer are on different loops; of four and four, half of each are on either loop.
template <class Make>
std::int64_t pass_between_coroutines(const workload& work, Make make) {
  std::vector<std::unique_ptr<boost::asio::io_context>> loops;
  for (int i = 0; i < work.threads; ++i) loops.push_back(std::make_unique<boost::asio::io_context>(1));
  auto channel = make(*loops.front(), work.capacity);
  std::atomic<std::int64_t> total{0};
  for (int i = 0; i < work.producers; ++i) {
    auto& loop = *loops[static_cast<std::size_t>(i % work.threads)];
    boost::asio::co_spawn(loop, produce(*channel, work.per_producer()), boost::asio::detached);
  }
  for (int i = 0; i < work.consumers; ++i) {
    auto& loop = *loops[static_cast<std::size_t>((i + 1) % work.threads)];
    boost::asio::co_spawn(loop, consume(*channel, work.per_consumer(), total), boost::asio::detached);
  }
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < loops.size(); ++i) others.emplace_back([&loop = *loops[i]] { loop.run(); });
  loops.front()->run();
  for (auto& thread : others) thread.join();
  return total.load();
}

}  // namespace queue_benchmark
