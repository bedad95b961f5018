#include <weft/compute/cpu_context.hpp>

#include <weft/pool/thread_pool.hpp>

#include "every_context.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <thread>
#include <vector>

namespace cpu_context_test {

TEST(cpu_context, visits_every_index_once) {
  on_every_context([](const weft::cpu_context& context) {
    for (const std::int64_t count : {0, 1, 2, 7, 1000}) {
      for (const std::int64_t least : {1, 3, 400}) {
        std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
        context.parallel_for(
            count, [&](std::int64_t index) { ++visits.at(static_cast<std::size_t>(index)); }, least);
        for (const auto& visit : visits) ASSERT_EQ(visit.load(), 1);
      }
    }
  });
}

TEST(cpu_context, nests) {
  on_every_context([](const weft::cpu_context& context) {
    std::atomic<int> calls{0};
    context.parallel_for(5, [&](std::int64_t) { context.parallel_for(6, [&](std::int64_t) { ++calls; }); });
    EXPECT_EQ(calls.load(), 30);
  });
}

TEST(cpu_context, rethrows) {
  on_every_context([](const weft::cpu_context& context) {
    EXPECT_THROW(context.parallel_for(20,
                                      [](std::int64_t index) {
                                        if (index == 13) throw std::runtime_error("thirteen");
                                      }),
                 std::runtime_error);
  });
}

TEST(cpu_context, serves_several_plain_threads) {
  weft::thread_pool pool(2);
  const weft::cpu_context context(pool.arena());
  EXPECT_EQ(context.threads(), 2);
  std::atomic<int> calls{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) context.parallel_for(8, [&](std::int64_t) { ++calls; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(calls.load(), 4 * 50 * 8);
}

TEST(cpu_context, wakes_no_thread_for_few_calls) {
  weft::thread_pool pool(2);
  const weft::cpu_context context(pool.arena());
  const auto caller = std::this_thread::get_id();
  for (int round = 0; round < 100; ++round) {
    context.parallel_for(
        4, [&](std::int64_t) { EXPECT_EQ(std::this_thread::get_id(), caller); }, 4);
  }
  // Each of two calls waits for the other: they have a thread each.
  std::atomic<int> begun{0};
  context.parallel_for(2, [&](std::int64_t) {
    ++begun;
    while (begun.load() < 2) std::this_thread::yield();
  });
  EXPECT_EQ(begun.load(), 2);
}

TEST(cpu_context, is_serial_without_an_arena) {
  const weft::cpu_context context;
  EXPECT_EQ(context.threads(), 1);
  const auto caller = std::this_thread::get_id();
  context.parallel_for(10, [&](std::int64_t) { EXPECT_EQ(std::this_thread::get_id(), caller); });
}

}  // namespace cpu_context_test
