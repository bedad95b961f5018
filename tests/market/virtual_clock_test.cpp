#include <weft/core/error.hpp>
#include <weft/core/philox.hpp>
#include <weft/market/virtual_clock.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace virtual_clock_test {

using namespace std::chrono_literals;
using weft::process;
using weft::virtual_clock;

process note_at(virtual_clock& clock, std::chrono::nanoseconds time, int name, std::vector<int>& order) {
  co_await clock.until(time);
  order.push_back(name);
}

TEST(virtual_clock, goes_from_event_to_event) {
  virtual_clock clock;
  std::vector<int> order;
  clock.spawn(note_at(clock, 3h, 3, order));
  clock.spawn(note_at(clock, 1h, 1, order));
  clock.spawn(note_at(clock, 2h, 2, order));
  EXPECT_EQ(clock.run_until(2h), 5U);  // three beginnings and two events
  EXPECT_EQ(order, (std::vector{1, 2}));
  EXPECT_EQ(clock.now(), 2h);
  EXPECT_EQ(clock.processes(), 1U);
  EXPECT_EQ(clock.run(), 1U);
  EXPECT_EQ(order.back(), 3);
  EXPECT_EQ(clock.now(), 3h);
  EXPECT_EQ(clock.processes(), 0U);
  EXPECT_EQ(clock.run_until(5h), 0U);
  EXPECT_EQ(clock.now(), 5h);
}

TEST(virtual_clock, serves_ties_in_the_order_they_came) {
  virtual_clock clock;
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) clock.spawn(note_at(clock, i % 2 == 0 ? 1s : 2s, i, order));
  clock.spawn(note_at(clock, -1s, 1000, order));  // has passed
  clock.run();
  std::vector<int> expected{1000};
  for (int i = 0; i < 100; i += 2) expected.push_back(i);
  for (int i = 1; i < 100; i += 2) expected.push_back(i);
  EXPECT_EQ(order, expected);
}

process wander(virtual_clock& clock, std::uint64_t seed, std::uint64_t who,
               std::vector<std::pair<std::int64_t, std::uint64_t>>& log) {
  const weft::philox random(seed, who);
  for (std::uint64_t step = 0; step < 200; ++step) {
    co_await clock.after(std::chrono::nanoseconds(random.below(step, 50)));
    log.emplace_back(clock.now().count(), who);
  }
}

std::vector<std::pair<std::int64_t, std::uint64_t>> wanderings(std::uint64_t seed) {
  virtual_clock clock;
  std::vector<std::pair<std::int64_t, std::uint64_t>> log;
  for (std::uint64_t who = 0; who < 37; ++who) clock.spawn(wander(clock, seed, who, log));
  EXPECT_EQ(clock.run(), 37U * 201U);
  return log;
}

TEST(virtual_clock, is_in_order_and_the_same_every_time) {
  const auto log = wanderings(1);
  ASSERT_EQ(log.size(), 37U * 200U);
  for (std::size_t i = 1; i < log.size(); ++i) ASSERT_LE(log[i - 1].first, log[i].first);
  EXPECT_EQ(wanderings(1), log);
  EXPECT_NE(wanderings(2), log);
}

process fail_at(virtual_clock& clock, std::chrono::nanoseconds time) {
  co_await clock.until(time);
  throw weft::error("it failed");
}

process await_failure(virtual_clock& clock, std::string& caught) {
  try {
    co_await fail_at(clock, 1s);
  } catch (const weft::error& error) {
    caught = error.what() + std::to_string(clock.now().count());
  }
  for (int i = 0; i < 100000; ++i) co_await []() -> process { co_return; }();  // takes no stack
}

TEST(virtual_clock, hands_errors_to_run_or_to_who_awaits) {
  virtual_clock clock;
  std::vector<int> order;
  clock.spawn(fail_at(clock, 1s));
  clock.spawn(note_at(clock, 1s, 1, order));
  EXPECT_THROW(clock.run(), weft::error);
  EXPECT_TRUE(order.empty());
  EXPECT_EQ(clock.processes(), 1U);
  clock.run();
  EXPECT_EQ(order, std::vector{1});
  std::string caught;
  clock.spawn(await_failure(clock, caught));
  clock.run();
  EXPECT_EQ(caught, "it failed1000000000");
  EXPECT_THROW(clock.after(-1ns), weft::invalid_argument);
}

process keep(virtual_clock& clock, std::shared_ptr<int> held, weft::virtual_signal& signal) {
  co_await [](virtual_clock& inner, std::shared_ptr<int>, weft::virtual_signal& wait) -> process {
    co_await inner.after(1s);
    co_await wait.wait();
  }(clock, held, signal);
}

TEST(virtual_clock, destroys_processes_that_have_not_ended) {
  const auto held = std::make_shared<int>();
  {
    const auto unused = [](std::shared_ptr<int>) -> process { co_return; }(held);
    virtual_clock clock;
    weft::virtual_signal signal(clock);
    clock.spawn(keep(clock, held, signal));  // waits for the signal
    clock.run();
    clock.spawn(keep(clock, held, signal));  // waits for a time
    clock.run_until(clock.now() + 1ms);
    clock.spawn(keep(clock, held, signal));  // has not begun
    EXPECT_EQ(clock.processes(), 3U);
    EXPECT_GT(held.use_count(), 4);
  }
  EXPECT_EQ(held.use_count(), 1);
}

process wait_twice(virtual_clock& clock, weft::virtual_signal& signal, std::vector<std::int64_t>& times) {
  for (int i = 0; i < 2; ++i) {
    co_await signal.wait();
    times.push_back(clock.now().count());
  }
}

process notify_every(virtual_clock& clock, weft::virtual_signal& signal, int times) {
  for (int i = 0; i < times; ++i) {
    co_await clock.after(10ns);
    signal.notify_all();
  }
}

TEST(virtual_signal, wakes_those_who_wait) {
  virtual_clock clock;
  weft::virtual_signal signal(clock);
  std::vector<std::int64_t> times;
  clock.spawn(wait_twice(clock, signal, times));
  clock.spawn(wait_twice(clock, signal, times));
  clock.spawn(notify_every(clock, signal, 2));
  clock.run();
  EXPECT_EQ(times, (std::vector<std::int64_t>{10, 10, 20, 20}));
  EXPECT_EQ(clock.processes(), 0U);
}

TEST(virtual_clock, begins_what_a_process_spawns) {
  virtual_clock clock;
  int ended = 0;
  struct tree {
    static process grow(virtual_clock& clock, int depth, int& ended) {
      co_await clock.after(1ns);
      if (depth > 0) {
        clock.spawn(grow(clock, depth - 1, ended));
        clock.spawn(grow(clock, depth - 1, ended));
      }
      ++ended;
    }
  };
  clock.spawn(tree::grow(clock, 9, ended));
  clock.run();
  EXPECT_EQ(ended, 1023);
  EXPECT_EQ(clock.now(), 10ns);
}

}  // namespace virtual_clock_test
