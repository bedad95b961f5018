#include <weft/async/event.hpp>

#include <weft/async/task_group.hpp>
#include <weft/async/timeout.hpp>

#include <async/coroutines.hpp>

#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace event_test {

using namespace std::chrono_literals;
using namespace weft_test;
using weft::event;
using weft::task;
using weft::task_group;
using weft::with_task_group;

TEST(event, stays_set_until_it_is_reset) {
  in_coroutine([]() -> task<> {
    event flag;
    EXPECT_FALSE(flag.is_set());
    flag.set();
    flag.set();
    EXPECT_TRUE(flag.is_set());
    co_await flag.wait();
    co_await flag.wait();
    flag.wait_blocking();
    flag.reset();
    EXPECT_FALSE(flag.is_set());
    EXPECT_THROW(co_await weft::timeout(flag.wait(), 1ms), weft::timeout_error);
  });
}

TEST(event, set_wakes_all_who_wait_even_if_reset_follows) {
  in_coroutine([]() -> task<> {
    event flag;
    int woken = 0;
    co_await with_task_group([&](task_group& group) -> task<> {
      for (int i = 0; i < 5; ++i) {
        group.spawn([&]() -> task<> {
          co_await flag.wait();
          EXPECT_FALSE(flag.is_set());
          ++woken;
        });
      }
      co_await until([&] { return flag.waiting() == 5; });
      flag.set();
      flag.reset();
      EXPECT_EQ(flag.waiting(), 0U);
      EXPECT_EQ(woken, 0) << "they resume by themselves, not inside set()";
      co_await group.join();
      EXPECT_EQ(woken, 5);
    });
  });
}

TEST(event, a_wake_up_that_came_before_the_cancellation_stands) {
  event flag;
  hand_turned woken(flag.wait());
  woken.turn();
  woken.on_loop([&] {
    flag.set();
    woken.cancel();
  });
  woken.turn();
  EXPECT_TRUE(woken.succeeded());
  flag.reset();
  hand_turned cancelled(flag.wait());
  cancelled.turn();
  EXPECT_EQ(flag.waiting(), 1U);
  cancelled.on_loop([&] {
    cancelled.cancel();
    EXPECT_EQ(flag.waiting(), 0U);
    flag.set();
  });
  cancelled.turn();
  EXPECT_TRUE(cancelled.threw<weft::cancelled>());
}

TEST(event, wakes_threads_and_coroutines_and_shows_what_happened_before) {
  for (int round = 0; round < 20; ++round) {
    event flag;
    int before = 0;
    boost::asio::thread_pool pool(2);
    std::vector<std::future<int>> seen;
    for (int i = 0; i < 3; ++i) {
      seen.push_back(boost::asio::co_spawn(
          pool,
          [&]() -> task<int> {
            co_await flag.wait();
            co_return before;
          },
          boost::asio::use_future));
    }
    std::thread thread([&] {
      flag.wait_blocking();
      EXPECT_EQ(before, 5);
    });
    before = 5;
    flag.set();
    thread.join();
    for (auto& each : seen) EXPECT_EQ(each.get(), 5);
  }
}

TEST(event, may_be_destroyed_by_who_was_woken) {
  for (int round = 0; round < 200; ++round) {
    auto flag = std::make_unique<event>();
    std::thread setter([&own = *flag] { own.set(); });
    in_coroutine([&flag]() -> task<> {
      co_await flag->wait();
      flag.reset();
    });
    setter.join();
  }
}

}  // namespace event_test
