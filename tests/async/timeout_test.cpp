#include <weft/async/timeout.hpp>

#include <weft/async/event.hpp>
#include <weft/async/queue.hpp>

#include <async/coroutines.hpp>

#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <stdexcept>

namespace timeout_test {

using namespace std::chrono_literals;
using namespace weft_test;
using weft::event;
using weft::queue;
using weft::task;
using weft::timeout;

task<> never(int& stopped) {
  event unset;
  try {
    co_await unset.wait();
  } catch (const weft::cancelled&) {
    ++stopped;
    throw;
  }
}

TEST(timeout, returns_the_result_of_work_that_is_in_time) {
  in_coroutine([]() -> task<> {
    auto value = co_await timeout(
        []() -> task<std::unique_ptr<int>> {
          co_await yield();
          co_return std::make_unique<int>(3);
        }(),
        1h);
    EXPECT_EQ(*value, 3);
    co_await timeout(yield(), 1h);
  });
}

TEST(timeout, cancels_and_joins_work_that_is_late) {
  in_coroutine([]() -> task<> {
    int stopped = 0;
    EXPECT_THROW(co_await timeout(never(stopped), 1ms), weft::timeout_error);
    EXPECT_EQ(stopped, 1);
    EXPECT_THROW(co_await timeout(never(stopped), 0ms), weft::timeout_error);
    EXPECT_THROW(co_await timeout(never(stopped), -1h), weft::timeout_error);
    EXPECT_EQ(stopped, 3);
  });
}

TEST(timeout, waits_for_the_cleanup_of_work_that_is_late) {
  in_coroutine([]() -> task<> {
    bool clean = false;
    EXPECT_THROW(co_await timeout(
                     [](bool& flag) -> task<> {
                       int stopped = 0;
                       try {
                         co_await never(stopped);
                       } catch (const weft::cancelled&) {
                       }
                       co_await boost::asio::this_coro::reset_cancellation_state();
                       for (int i = 0; i < 5; ++i) co_await yield();
                       flag = true;
                       throw weft::cancelled();
                     }(clean),
                     1ms),
                 weft::timeout_error);
    EXPECT_TRUE(clean);
  });
}

TEST(timeout, rethrows_an_error_of_the_work) {
  in_coroutine([]() -> task<> {
    EXPECT_THROW(co_await timeout(
                     []() -> task<int> {
                       co_await yield();
                       throw std::out_of_range("its own");
                     }(),
                     1h),
                 std::out_of_range);
    EXPECT_THROW(co_await timeout(
                     []() -> task<int> {
                       int stopped = 0;
                       try {
                         co_await never(stopped);
                       } catch (const weft::cancelled&) {
                       }
                       throw std::out_of_range("while being stopped");
                     }(),
                     1ms),
                 std::out_of_range);
  });
}

TEST(timeout, returns_a_result_that_comes_though_the_time_is_over) {
  in_coroutine([]() -> task<> {
    const int value = co_await timeout(
        []() -> task<int> {
          int stopped = 0;
          try {
            co_await never(stopped);
          } catch (const weft::cancelled&) {
          }
          co_return 5;
        }(),
        1ms);
    EXPECT_EQ(value, 5);
  });
}

TEST(timeout, nests_and_the_shorter_one_counts) {
  in_coroutine([]() -> task<> {
    int stopped = 0;
    EXPECT_THROW(co_await timeout(timeout(never(stopped), 1h), 1ms), weft::timeout_error);
    EXPECT_THROW(co_await timeout(timeout(never(stopped), 1ms), 1h), weft::timeout_error);
    EXPECT_EQ(stopped, 2);
  });
}

TEST(timeout, cancelled_from_outside_throws_cancelled) {
  int stopped = 0;
  hand_turned waiting(timeout(never(stopped), 1h));
  waiting.turn();
  waiting.cancel();
  waiting.turn();
  EXPECT_TRUE(waiting.threw<weft::cancelled>());
  EXPECT_FALSE(waiting.threw<weft::timeout_error>());
  EXPECT_EQ(stopped, 1);
}

TEST(timeout, cancelled_from_outside_after_the_work_is_done_loses_no_result) {
  queue<int> items(1);
  int got = 0;
  hand_turned waiting([](queue<int>& in, int& out) -> task<> {
    const auto item = co_await timeout(in.pop(), 1h);
    out = item.value();
  }(items, got));
  waiting.turn();
  waiting.on_loop([&] {
    items.push_wait(6);
    waiting.cancel();
  });
  waiting.turn();
  EXPECT_EQ(got, 6);
}

TEST(timeout, a_timed_out_pop_leaves_the_queue_as_it_was) {
  in_coroutine([]() -> task<> {
    queue<int> items(2);
    EXPECT_THROW(co_await timeout(items.pop(), 1ms), weft::timeout_error);
    EXPECT_EQ(items.waiting_pops(), 0U);
    int item = 1;
    EXPECT_TRUE(items.try_push(item));
    EXPECT_EQ(items.size(), 1U);
    EXPECT_EQ(co_await timeout(items.pop(), 1h), 1);
  });
}

// The result and the timer come at the same time, over and over, on one thread and on several.
task<> race_the_timer(unsigned seed, std::atomic<int>& popped, std::atomic<int>& late) {
  std::mt19937 random(seed);
  for (int i = 0; i < 100; ++i) {
    queue<int> items(1);
    const auto own = std::chrono::microseconds(random() % 100);
    const auto limit = std::chrono::microseconds(random() % 100);
    const auto got = std::make_shared<bool>(false);
    co_await weft::gather(
        [](queue<int>& out, auto when, int value) -> task<> {
          co_await weft::sleep_for(when);
          co_await out.push(value);
        }(items, own, i),
        [](queue<int>& in, auto when, int value, bool& taken) -> task<> {
          try {
            const auto item = co_await timeout(in.pop(), when);
            EXPECT_EQ(item, value);
            taken = true;
          } catch (const weft::timeout_error&) {
          }
        }(items, limit, i, *got));
    EXPECT_EQ(items.size(), *got ? 0U : 1U);
    ++(*got ? popped : late);
  }
}

TEST(timeout, a_result_that_races_the_timer_is_returned_or_stays) {
  std::atomic<int> popped{0};
  std::atomic<int> late{0};
  weft::run(race_the_timer(1, popped, late));
  boost::asio::thread_pool pool(3);
  std::vector<std::future<void>> ends;
  for (unsigned seed = 2; seed < 8; ++seed) {
    ends.push_back(boost::asio::co_spawn(pool, race_the_timer(seed, popped, late), boost::asio::use_future));
  }
  for (auto& each : ends) each.get();
  EXPECT_EQ(popped.load() + late.load(), 700);
}

}  // namespace timeout_test
