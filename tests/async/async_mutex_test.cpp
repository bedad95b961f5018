#include <weft/async/async_mutex.hpp>

#include <weft/async/task_group.hpp>
#include <weft/async/timeout.hpp>

#include <async/coroutines.hpp>

#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>
#include <vector>

namespace async_mutex_test {

using namespace std::chrono_literals;
using namespace weft_test;
using weft::async_lock;
using weft::async_mutex;
using weft::task;
using weft::task_group;
using weft::with_task_group;

TEST(async_mutex, is_held_across_a_wait) {
  in_coroutine([]() -> task<> {
    async_mutex mutex;
    int inside = 0;
    int most = 0;
    co_await with_task_group([&](task_group& group) -> task<> {
      for (int i = 0; i < 10; ++i) {
        group.spawn([&]() -> task<> {
          const async_lock held = co_await mutex.scoped_lock();
          most = std::max(most, ++inside);
          for (int turn = 0; turn < 3; ++turn) co_await yield();
          --inside;
        });
      }
      co_return;
    });
    EXPECT_EQ(most, 1);
    EXPECT_FALSE(mutex.locked());
  });
}

TEST(async_mutex, unlock_hands_over_to_the_first_waiter) {
  in_coroutine([]() -> task<> {
    async_mutex mutex;
    std::vector<int> order;
    EXPECT_TRUE(mutex.try_lock());
    EXPECT_FALSE(mutex.try_lock());
    co_await with_task_group([&](task_group& group) -> task<> {
      for (int who = 0; who < 3; ++who) {
        group.spawn([&, who]() -> task<> {
          co_await mutex.lock();
          order.push_back(who);
          mutex.unlock();
        });
        co_await until([&] { return mutex.waiting() == static_cast<std::size_t>(who) + 1; });
      }
      mutex.unlock();
      EXPECT_TRUE(mutex.locked()) << "it belongs to the first waiter already";
      EXPECT_FALSE(mutex.try_lock());
    });
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  });
}

TEST(async_mutex, refuses_to_be_unlocked_when_it_is_not_locked) {
  async_mutex mutex;
  EXPECT_THROW(mutex.unlock(), weft::invalid_argument);
  EXPECT_TRUE(mutex.try_lock());
  mutex.unlock();
  EXPECT_THROW(mutex.unlock(), weft::invalid_argument);
}

TEST(async_mutex, a_cancelled_lock_has_not_locked) {
  in_coroutine([]() -> task<> {
    async_mutex mutex;
    co_await mutex.lock();
    EXPECT_THROW(co_await weft::timeout(mutex.lock(), 1ms), weft::timeout_error);
    EXPECT_THROW(co_await weft::timeout(mutex.scoped_lock(), 1ms), weft::timeout_error);
    EXPECT_EQ(mutex.waiting(), 0U);
    mutex.unlock();
    EXPECT_FALSE(mutex.locked());
  });
}

TEST(async_mutex, a_lock_moves_and_unlocks_once) {
  in_coroutine([]() -> task<> {
    async_mutex one;
    async_mutex two;
    async_lock first = co_await one.scoped_lock();
    async_lock second = co_await two.scoped_lock();
    first = std::move(second);
    EXPECT_FALSE(one.locked());
    EXPECT_TRUE(two.locked());
    EXPECT_TRUE(first.owns_lock());
    first.unlock();
    first.unlock();
    EXPECT_FALSE(first.owns_lock());
    EXPECT_FALSE(two.locked());
  });
}

TEST(async_mutex, excludes_threads_and_coroutines_from_each_other) {
  async_mutex mutex;
  long plain = 0;  // guarded by the mutex alone: for the sanitizers
  boost::asio::thread_pool pool(2);
  std::vector<std::future<void>> ends;
  for (int i = 0; i < 4; ++i) {
    ends.push_back(boost::asio::co_spawn(
        pool,
        [&]() -> task<> {
          for (int k = 0; k < 500; ++k) {
            const async_lock held = co_await mutex.scoped_lock();
            ++plain;
            if (k % 16 == 0) co_await yield();
          }
        },
        boost::asio::use_future));
  }
  std::thread thread([&] {
    for (int k = 0; k < 500; ++k) {
      mutex.lock_wait();
      ++plain;
      mutex.unlock();
    }
  });
  thread.join();
  for (auto& each : ends) each.get();
  EXPECT_EQ(plain, 2500);
}

}  // namespace async_mutex_test
