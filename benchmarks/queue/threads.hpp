#pragma once

// The workload for queues between plain threads, one a producer and one a consumer. `Queue` blocks: push(int)
// while full, pop() while empty.

#include "workload.hpp"

#include <atomic>
#include <thread>
#include <vector>

namespace queue_benchmark {

template <class Queue>
std::int64_t pass_between_threads(const workload& work) {
  Queue items(work.capacity);
  std::atomic<std::int64_t> total{0};
  std::vector<std::thread> producers;
  std::vector<std::thread> consumers;
  for (int i = 0; i < work.producers; ++i) {
    producers.emplace_back([&] {
      for (std::int64_t k = 0; k < work.per_producer(); ++k) items.push(static_cast<int>(k));
    });
  }
  for (int i = 0; i < work.consumers; ++i) {
    consumers.emplace_back([&] {
      std::int64_t sum = 0;
      for (std::int64_t k = 0; k < work.per_consumer(); ++k) sum += items.pop();
      total += sum;
    });
  }
  for (auto& thread : producers) thread.join();
  for (auto& thread : consumers) thread.join();
  return total.load();
}

}  // namespace queue_benchmark
