#include <weft/async/latch.hpp>

#include <weft/async/task_group.hpp>
#include <weft/async/timeout.hpp>

#include <async/coroutines.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace latch_test {

using namespace std::chrono_literals;
using namespace weft_test;
using weft::latch;
using weft::task;
using weft::task_group;
using weft::with_task_group;

TEST(latch, opens_when_all_have_arrived) {
  in_coroutine([]() -> task<> {
    latch all(3);
    int through = 0;
    co_await with_task_group([&](task_group& group) -> task<> {
      for (int i = 0; i < 2; ++i) {
        group.spawn([&]() -> task<> {
          co_await all.wait();
          ++through;
        });
      }
      co_await until([&] { return all.waiting() == 2; });
      all.count_down(2);
      EXPECT_FALSE(all.try_wait());
      EXPECT_EQ(all.remaining(), 1U);
      EXPECT_EQ(all.waiting(), 2U);
      all.count_down();
      EXPECT_TRUE(all.try_wait());
      co_await all.wait();
      all.wait_blocking();
    });
    EXPECT_EQ(through, 2);
  });
}

TEST(latch, of_zero_is_open) {
  in_coroutine([]() -> task<> {
    latch none(0);
    co_await none.wait();
    none.count_down(0);
    EXPECT_TRUE(none.try_wait());
  });
}

TEST(latch, refuses_more_arrivals_than_it_waits_for) {
  latch two(2);
  try {
    two.count_down(3);
    ADD_FAILURE() << "three of two have arrived";
  } catch (const weft::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("only 2"), std::string::npos) << error.what();
  }
  EXPECT_EQ(two.remaining(), 2U);
}

TEST(latch, arrive_and_wait_meets_the_others) {
  in_coroutine([]() -> task<> {
    latch all(4);
    int arrived = 0;
    co_await with_task_group([&](task_group& group) -> task<> {
      for (int i = 0; i < 4; ++i) {
        group.spawn([&, i]() -> task<> {
          for (int turn = 0; turn < i; ++turn) co_await yield();
          ++arrived;
          co_await all.arrive_and_wait();
          EXPECT_EQ(arrived, 4);
        });
      }
      co_return;
    });
  });
}

TEST(latch, a_cancelled_wait_changes_nothing_and_a_cancelled_arrival_counts) {
  in_coroutine([]() -> task<> {
    latch all(2);
    EXPECT_THROW(co_await weft::timeout(all.wait(), 1ms), weft::timeout_error);
    EXPECT_EQ(all.remaining(), 2U);
    EXPECT_THROW(co_await weft::timeout(all.arrive_and_wait(), 1ms), weft::timeout_error);
    EXPECT_EQ(all.remaining(), 1U);
    EXPECT_EQ(all.waiting(), 0U);
    co_await all.arrive_and_wait();
  });
}

TEST(latch, opened_before_the_cancellation_is_open) {
  latch one(1);
  hand_turned waiting(one.wait());
  waiting.turn();
  waiting.on_loop([&] {
    one.count_down();
    waiting.cancel();
  });
  waiting.turn();
  EXPECT_TRUE(waiting.succeeded());
}

TEST(latch, may_be_destroyed_by_who_was_woken) {
  for (int round = 0; round < 200; ++round) {
    auto done = std::make_unique<latch>(2);
    std::vector<int> results(2);
    std::vector<std::thread> workers;
    for (std::size_t i = 0; i < 2; ++i) {
      workers.emplace_back([&own = *done, &results, i] {
        results[i] = 1;
        own.count_down();
      });
    }
    if (round % 2 == 0) {
      done->wait_blocking();
    } else {
      weft::run(done->wait());
    }
    EXPECT_EQ(results[0] + results[1], 2);
    done.reset();
    for (auto& each : workers) each.join();
  }
}

}  // namespace latch_test
