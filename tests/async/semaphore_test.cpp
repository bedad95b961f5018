#include <weft/async/semaphore.hpp>

#include <weft/async/task_group.hpp>
#include <weft/async/timeout.hpp>

#include <async/coroutines.hpp>

#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace semaphore_test {

using namespace std::chrono_literals;
using namespace weft_test;
using weft::semaphore;
using weft::semaphore_permit;
using weft::task;
using weft::task_group;
using weft::with_task_group;

TEST(semaphore, counts_its_permits) {
  semaphore permits(3);
  EXPECT_EQ(permits.available(), 3U);
  EXPECT_TRUE(permits.try_acquire());
  EXPECT_TRUE(permits.try_acquire(2));
  EXPECT_FALSE(permits.try_acquire());
  EXPECT_TRUE(permits.try_acquire(0));
  permits.release();
  EXPECT_FALSE(permits.try_acquire(2));
  permits.release(4);
  EXPECT_EQ(permits.available(), 5U);
  EXPECT_TRUE(permits.try_acquire(5));
}

TEST(semaphore, refuses_more_permits_than_it_can_have) {
  EXPECT_THROW(semaphore(std::numeric_limits<std::size_t>::max()), weft::invalid_argument);
  semaphore permits(semaphore::max_permits);
  try {
    permits.release(7);
    ADD_FAILURE() << "more permits than can be counted";
  } catch (const weft::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("release(7)"), std::string::npos) << error.what();
  }
  EXPECT_EQ(permits.available(), semaphore::max_permits);
  EXPECT_THROW(permits.release(std::numeric_limits<std::size_t>::max()), weft::invalid_argument);
  EXPECT_TRUE(permits.try_acquire(semaphore::max_permits));
}

task<> take(semaphore& from, std::size_t count, int who, std::vector<int>& order) {
  co_await from.acquire(count);
  order.push_back(who);
}

TEST(semaphore, serves_waiters_in_the_order_they_came_and_lets_nobody_overtake) {
  in_coroutine([]() -> task<> {
    semaphore permits(0);
    std::vector<int> order;
    co_await with_task_group([&](task_group& group) -> task<> {
      for (int who = 0; who < 4; ++who) {
        group.spawn(take, std::ref(permits), 1, who, std::ref(order));
        co_await until([&] { return permits.waiting() == static_cast<std::size_t>(who) + 1; });
      }
      permits.release(2);
      EXPECT_FALSE(permits.try_acquire()) << "the permits belong to the waiters already";
      permits.release(2);
      EXPECT_EQ(permits.waiting(), 0U);
      EXPECT_EQ(permits.available(), 0U);
    });
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
  });
}

TEST(semaphore, a_waiter_that_wants_many_is_not_starved_by_those_that_want_few) {
  in_coroutine([]() -> task<> {
    semaphore permits(0);
    std::vector<int> order;
    co_await with_task_group([&](task_group& group) -> task<> {
      group.spawn(take, std::ref(permits), 3, 3, std::ref(order));
      co_await until([&] { return permits.waiting() == 1; });
      group.spawn(take, std::ref(permits), 1, 1, std::ref(order));
      co_await until([&] { return permits.waiting() == 2; });
      permits.release(2);
      EXPECT_EQ(permits.waiting(), 2U);
      EXPECT_EQ(permits.available(), 2U);
      EXPECT_FALSE(permits.try_acquire());
      permits.release(2);
    });
    EXPECT_EQ(order, (std::vector<int>{3, 1}));
  });
}

TEST(semaphore, a_cancelled_acquire_has_no_permit_and_lets_those_behind_it_through) {
  in_coroutine([]() -> task<> {
    semaphore permits(1);
    std::vector<int> order;
    co_await with_task_group([&](task_group& group) -> task<> {
      group.spawn(
          [](semaphore& from) -> task<> {
            EXPECT_THROW(co_await weft::timeout(from.acquire(2), 1ms), weft::timeout_error);
          },
          std::ref(permits));
      co_await until([&] { return permits.waiting() == 1; });
      group.spawn(take, std::ref(permits), 1, 1, std::ref(order));
      co_await group.join();
    });
    EXPECT_EQ(order, std::vector<int>{1});
    EXPECT_EQ(permits.available(), 0U);
    EXPECT_EQ(permits.waiting(), 0U);
    permits.release();
    EXPECT_TRUE(permits.try_acquire());
  });
}

TEST(semaphore, a_permit_granted_before_the_cancellation_is_kept) {
  semaphore permits(0);
  std::vector<int> order;
  hand_turned waiting(take(permits, 1, 1, order));
  waiting.turn();
  waiting.on_loop([&] {
    permits.release();
    waiting.cancel();
  });
  waiting.turn();
  EXPECT_TRUE(waiting.succeeded());
  EXPECT_EQ(order, std::vector<int>{1});
  EXPECT_EQ(permits.available(), 0U);
}

TEST(semaphore, a_permit_released_after_the_cancellation_stays) {
  semaphore permits(0);
  std::vector<int> order;
  hand_turned waiting(take(permits, 1, 1, order));
  waiting.turn();
  waiting.on_loop([&] {
    waiting.cancel();
    permits.release();
  });
  waiting.turn();
  EXPECT_TRUE(waiting.threw<weft::cancelled>());
  EXPECT_TRUE(order.empty());
  EXPECT_EQ(permits.available(), 1U);
}

TEST(semaphore, hold_gives_its_permits_back_once) {
  in_coroutine([]() -> task<> {
    semaphore permits(3);
    {
      const semaphore_permit two = co_await permits.hold(2);
      EXPECT_EQ(two.count(), 2U);
      EXPECT_EQ(permits.available(), 1U);
      semaphore_permit one = co_await permits.hold();
      semaphore_permit same = std::move(one);
      EXPECT_EQ(one.count(), 0U);  // NOLINT(bugprone-use-after-move): the contract of the moved-from state
      EXPECT_EQ(permits.available(), 0U);
      same.release();
      same.release();
      EXPECT_EQ(permits.available(), 1U);
      same = semaphore_permit(permits, 0);
    }
    EXPECT_EQ(permits.available(), 3U);
    const semaphore_permit all = permits.hold_wait(3);
    EXPECT_EQ(permits.available(), 0U);
  });
}

TEST(semaphore, hold_gives_its_permits_back_when_its_owner_fails) {
  in_coroutine([]() -> task<> {
    semaphore permits(1);
    for (int round = 0; round < 2; ++round) {
      EXPECT_THROW(co_await with_task_group([&](task_group& group) -> task<> {
                     group.spawn(
                         [](semaphore& from) -> task<> {
                           const semaphore_permit mine = co_await from.hold();
                           throw std::runtime_error("failed while holding");
                         },
                         std::ref(permits));
                     co_return;
                   }),
                   std::runtime_error);
      EXPECT_EQ(permits.available(), 1U);
    }
  });
}

TEST(semaphore, blocks_plain_threads) {
  semaphore permits(0);
  std::atomic<int> through{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      permits.acquire_wait(2);
      ++through;
    });
  }
  wait_until([&] { return permits.waiting() == 3; });
  EXPECT_EQ(through.load(), 0);
  for (int i = 0; i < 6; ++i) permits.release();
  for (auto& each : threads) each.join();
  EXPECT_EQ(through.load(), 3);
  EXPECT_EQ(permits.available(), 0U);
}

TEST(semaphore, a_waiting_coroutine_resumes_on_its_own_executor) {
  boost::asio::thread_pool home(1);
  semaphore permits(0);
  auto resumed = boost::asio::co_spawn(
      home,
      [&]() -> task<bool> {
        const auto before = std::this_thread::get_id();
        co_await permits.acquire();
        co_return std::this_thread::get_id() == before;
      },
      boost::asio::use_future);
  wait_until([&] { return permits.waiting() == 1; });
  permits.release();
  EXPECT_TRUE(resumed.get());
}

class semaphore_stress : public testing::TestWithParam<unsigned> {};

TEST_P(semaphore_stress, no_permit_is_lost_or_made_up) {
  std::mt19937 random(GetParam());
  const std::size_t total = 1 + random() % 5;
  semaphore permits(total);
  std::atomic<std::size_t> out{0};
  std::atomic<int> timeouts{0};
  const auto use = [&](std::size_t count) {
    EXPECT_LE(out.fetch_add(count) + count, total) << "more permits out than there are";
    out.fetch_sub(count);
    permits.release(count);
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&, seed = static_cast<unsigned>(random())] {
      std::mt19937 dice(seed);
      for (int k = 0; k < 1000; ++k) {
        const std::size_t count = 1 + dice() % total;
        if (dice() % 2 == 0) {
          permits.acquire_wait(count);
          use(count);
        } else if (permits.try_acquire(count)) {
          use(count);
        }
      }
    });
  }
  const auto coroutine = [&](unsigned seed) -> task<> {
    std::mt19937 dice(seed);
    for (int k = 0; k < 100; ++k) {
      const std::size_t count = 1 + dice() % total;
      bool acquired = true;
      try {
        if (dice() % 3 == 0) {
          co_await permits.acquire(count);
        } else {
          co_await weft::timeout(permits.acquire(count), std::chrono::microseconds(dice() % 30));
        }
      } catch (const weft::timeout_error&) {
        acquired = false;
        ++timeouts;
      }
      if (acquired) {
        if (dice() % 4 == 0) co_await yield();
        use(count);
      }
    }
  };
  boost::asio::thread_pool pool(2);
  std::vector<std::future<void>> ends;
  for (int i = 0; i < 6; ++i) {
    ends.push_back(
        boost::asio::co_spawn(pool, coroutine(static_cast<unsigned>(random())), boost::asio::use_future));
  }
  for (auto& each : ends) each.get();
  for (auto& each : threads) each.join();
  EXPECT_EQ(permits.available(), total);
  EXPECT_EQ(permits.waiting(), 0U);
}

INSTANTIATE_TEST_SUITE_P(seeds, semaphore_stress, testing::Range(0U, 8U));

}  // namespace semaphore_test
