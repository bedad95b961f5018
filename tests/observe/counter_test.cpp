#include <gtest/gtest.h>

#include <cstdint>  // for std::uint64_t
#include <memory>   // for std::unique_ptr
#include <thread>   // for std::thread
#include <vector>   // for std::vector
#include <weft/observe/counter.hpp>
#include <weft/observe/gauge.hpp>

namespace counter_test {

TEST(counter, starts_at_zero_and_adds) {
  weft::counter events;
  EXPECT_EQ(events.value(), 0U);
  events.add();
  events.add(41);
  EXPECT_EQ(events.value(), 42U);
}

TEST(counter, keeps_what_ended_threads_added) {
  weft::counter events;
  std::thread([&] { events.add(7); }).join();
  EXPECT_EQ(events.value(), 7U);
  std::thread([&] { events.add(1); }).join();
  events.add(2);
  EXPECT_EQ(events.value(), 10U);
}

TEST(counter, loses_nothing_under_contention_and_never_goes_back_while_it_is_read) {
  constexpr int threads = 4;
  constexpr std::uint64_t each = 50'000;
  weft::counter events;
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([&] {
      for (std::uint64_t k = 0; k < each; ++k) events.add();
    });
  }
  std::uint64_t last = 0;
  while (last < threads * each) {
    const std::uint64_t now = events.value();
    ASSERT_GE(now, last);
    last = now;
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(events.value(), threads * each);
}

TEST(counter, does_not_inherit_the_count_of_a_destroyed_one) {
  for (int round = 0; round < 3; ++round) {
    weft::counter events;
    EXPECT_EQ(events.value(), 0U);
    events.add(5);
    std::thread([&] { events.add(6); }).join();
    EXPECT_EQ(events.value(), 11U);
  }
}

TEST(counter, many_are_independent) {
  std::vector<std::unique_ptr<weft::counter>> counters;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    counters.push_back(std::make_unique<weft::counter>());
    counters.back()->add(i);
    counters.front()->add();
  }
  EXPECT_EQ(counters.front()->value(), 1000U);
  for (std::uint64_t i = 1; i < 1000; ++i) EXPECT_EQ(counters[i]->value(), i);
}

// Thread-local objects that were made before the thread's table are destroyed after it.
TEST(counter, counts_while_its_thread_ends) {
  static weft::counter* target = nullptr;
  struct last_words {
    ~last_words() { target->add(3); }
  };
  weft::counter events;
  target = &events;
  std::thread([&] {
    static thread_local last_words words;
    static_cast<void>(words);
    events.add(4);
  }).join();
  EXPECT_EQ(events.value(), 7U);
}

TEST(counter, threads_come_and_go_while_counters_do) {
  weft::counter total;
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      for (int k = 0; k < 200; ++k) {
        weft::counter own;
        own.add(2);
        std::thread([&] { own.add(3); }).join();
        total.add(own.value());
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(total.value(), 4U * 200U * 5U);
}

TEST(gauge, holds_the_last_value_and_adds) {
  weft::gauge depth;
  EXPECT_EQ(depth.value(), 0.0);
  depth.set(10);
  depth.add(-2.5);
  EXPECT_EQ(depth.value(), 7.5);
}

TEST(gauge, loses_no_addition) {
  weft::gauge depth;
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      for (int k = 0; k < 10'000; ++k) {
        depth.add(2);
        depth.add(-1);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(depth.value(), 40'000.0);
}

}  // namespace counter_test
