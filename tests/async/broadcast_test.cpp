#include <weft/async/broadcast.hpp>

#include <weft/async/task_group.hpp>
#include <weft/async/timeout.hpp>

#include <async/coroutines.hpp>

#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace broadcast_test {

using namespace std::chrono_literals;
using namespace weft_test;
using weft::broadcast;
using weft::lag_policy;
using weft::task;
using weft::task_group;
using weft::with_task_group;

void publish_now(broadcast<int>& to, int item) {
  EXPECT_TRUE(to.try_publish(item));
}

TEST(broadcast, refuses_capacity_zero) {
  EXPECT_THROW(broadcast<int>(0), weft::invalid_argument);
}

TEST(broadcast, every_subscriber_sees_every_item_from_its_subscription_on) {
  broadcast<int> news(8);
  publish_now(news, 0);  // nobody is there
  auto early = news.subscribe();
  publish_now(news, 1);
  auto late = news.subscribe();
  EXPECT_EQ(news.subscribers(), 2U);
  publish_now(news, 2);
  EXPECT_EQ(early.try_next(), 1);
  EXPECT_EQ(early.try_next(), 2);
  EXPECT_EQ(early.try_next(), std::nullopt);
  EXPECT_EQ(late.try_next(), 2);
  EXPECT_EQ(late.try_next(), std::nullopt);
  EXPECT_EQ(news.published(), 3U);
}

TEST(broadcast, a_publisher_waits_for_the_slowest_subscriber_that_must_miss_nothing) {
  broadcast<int> news(2);
  auto quick = news.subscribe();
  auto slow = news.subscribe(lag_policy::wait);
  publish_now(news, 1);
  publish_now(news, 2);
  EXPECT_EQ(quick.try_next(), 1);
  EXPECT_EQ(quick.try_next(), 2);
  int third = 3;
  EXPECT_FALSE(news.try_publish(third));
  EXPECT_EQ(third, 3);
  EXPECT_EQ(slow.try_next(), 1);
  EXPECT_TRUE(news.try_publish(third));
  EXPECT_EQ(quick.try_next(), 3);
  EXPECT_EQ(slow.try_next(), 2);
  EXPECT_EQ(slow.try_next(), 3);
  EXPECT_EQ(slow.dropped(), 0U);
}

TEST(broadcast, drop_oldest_misses_what_no_longer_fits_and_counts_it) {
  broadcast<int> news(3);
  auto lagging = news.subscribe(lag_policy::drop_oldest);
  EXPECT_EQ(lagging.policy(), lag_policy::drop_oldest);
  for (int i = 1; i <= 10; ++i) publish_now(news, i);
  EXPECT_EQ(lagging.try_next(), 8);
  EXPECT_EQ(lagging.dropped(), 7U);
  publish_now(news, 11);
  EXPECT_EQ(lagging.try_next(), 9);
  EXPECT_EQ(lagging.try_next(), 10);
  EXPECT_EQ(lagging.try_next(), 11);
  EXPECT_EQ(lagging.try_next(), std::nullopt);
  EXPECT_EQ(lagging.dropped(), 7U);
}

TEST(broadcast, keep_latest_reads_the_newest_only) {
  broadcast<int> news(3);
  auto newest = news.subscribe(lag_policy::keep_latest);
  publish_now(news, 1);
  EXPECT_EQ(newest.try_next(), 1);
  EXPECT_EQ(newest.dropped(), 0U);
  for (int i = 2; i <= 9; ++i) publish_now(news, i);
  EXPECT_EQ(newest.try_next(), 9);
  EXPECT_EQ(newest.dropped(), 7U);
  EXPECT_EQ(newest.try_next(), std::nullopt);
}

TEST(broadcast, waiting_publishers_go_on_in_the_order_they_came) {
  in_coroutine([]() -> task<> {
    broadcast<int> news(1);
    auto reader = news.subscribe();
    co_await news.publish(0);
    co_await with_task_group([&](task_group& group) -> task<> {
      for (int item = 1; item <= 3; ++item) {
        group.spawn(news.publish(item));
        co_await until([&] { return news.waiting_publishers() == static_cast<std::size_t>(item); });
      }
      int late = 99;
      EXPECT_FALSE(news.try_publish(late));
      for (int expected = 0; expected <= 3; ++expected) {
        EXPECT_EQ(co_await reader.next(), expected);
        if (expected == 3) break;
        EXPECT_FALSE(news.try_publish(late)) << "the room belongs to the next publisher already";
      }
    });
  });
}

TEST(broadcast, waiting_subscribers_are_woken_by_an_item) {
  in_coroutine([]() -> task<> {
    broadcast<std::string> news(4);
    std::vector<std::string> seen;
    co_await with_task_group([&](task_group& group) -> task<> {
      for (int i = 0; i < 3; ++i) {
        group.spawn([&]() -> task<> {
          auto reader = news.subscribe();
          while (true) {
            const auto item = co_await reader.next();
            if (!item) break;
            seen.push_back(*item);
          }
        });
      }
      co_await until([&] { return news.waiting_subscribers() == 3; });
      co_await news.publish("a");
      co_await until([&] { return news.waiting_subscribers() == 3; });
      co_await news.publish("b");
      news.close();
    });
    EXPECT_EQ(seen, (std::vector<std::string>{"a", "a", "a", "b", "b", "b"}));
    EXPECT_EQ(news.subscribers(), 0U);
  });
}

TEST(broadcast, unsubscribing_lets_a_waiting_publisher_go_on) {
  in_coroutine([]() -> task<> {
    broadcast<int> news(1);
    auto reading = news.subscribe();
    co_await with_task_group([&](task_group& group) -> task<> {
      {
        const auto stuck = news.subscribe();
        co_await news.publish(1);
        EXPECT_EQ(co_await reading.next(), 1);
        group.spawn(news.publish(2));
        co_await until([&] { return news.waiting_publishers() == 1; });
      }
      EXPECT_EQ(news.waiting_publishers(), 0U);
      EXPECT_EQ(co_await reading.next(), 2);
    });
  });
}

TEST(broadcast, close_refuses_publishers_with_their_item_intact_and_lets_the_items_out) {
  in_coroutine([]() -> task<> {
    broadcast<int> news(1);
    auto reader = news.subscribe();
    co_await news.publish(1);
    int waiting = 2;
    co_await with_task_group([&](task_group& group) -> task<> {
      group.spawn([&]() -> task<> { EXPECT_THROW(co_await news.publish_from(waiting), weft::queue_closed); });
      co_await until([&] { return news.waiting_publishers() == 1; });
      news.close();
      news.close();
    });
    EXPECT_EQ(waiting, 2);
    EXPECT_TRUE(news.closed());
    EXPECT_THROW(co_await news.publish(3), weft::queue_closed);
    EXPECT_THROW(news.publish_wait(3), weft::queue_closed);
    EXPECT_EQ(co_await reader.next(), 1);
    EXPECT_EQ(co_await reader.next(), std::nullopt);
    EXPECT_EQ(reader.next_wait(), std::nullopt);
  });
}

TEST(broadcast, a_timed_out_next_has_read_nothing_and_a_timed_out_publish_has_published_nothing) {
  in_coroutine([]() -> task<> {
    broadcast<int> news(1);
    auto reader = news.subscribe();
    EXPECT_THROW(co_await weft::timeout(reader.next(), 1ms), weft::timeout_error);
    EXPECT_EQ(news.waiting_subscribers(), 0U);
    co_await news.publish(1);
    int kept = 2;
    EXPECT_THROW(co_await weft::timeout(news.publish_from(kept), 1ms), weft::timeout_error);
    EXPECT_EQ(kept, 2);
    EXPECT_EQ(news.waiting_publishers(), 0U);
    EXPECT_EQ(co_await reader.next(), 1);
    EXPECT_EQ(reader.try_next(), std::nullopt);
  });
}

TEST(broadcast, a_subscription_moves) {
  broadcast<int> news(4);
  auto first = news.subscribe();
  publish_now(news, 1);
  auto second = std::move(first);
  EXPECT_EQ(second.try_next(), 1);
  auto other = news.subscribe();
  publish_now(news, 2);
  other = std::move(second);
  EXPECT_EQ(news.subscribers(), 1U);
  EXPECT_EQ(other.try_next(), 2);
}

struct throws_on_copy {
  static inline bool now = false;
  int value;
  explicit throws_on_copy(int v) : value(v) {}
  throws_on_copy(const throws_on_copy& other) : value(other.value) {
    if (now) throw std::runtime_error("copying failed");
  }
  throws_on_copy(throws_on_copy&& other) noexcept : value(other.value) {}
};

TEST(broadcast, a_copy_that_throws_has_read_nothing) {
  broadcast<throws_on_copy> news(2);
  auto reader = news.subscribe();
  throws_on_copy item(5);
  EXPECT_TRUE(news.try_publish(item));
  throws_on_copy::now = true;
  EXPECT_THROW(reader.try_next(), std::runtime_error);
  throws_on_copy::now = false;
  EXPECT_EQ(reader.try_next()->value, 5);
}

TEST(broadcast, items_may_use_it_when_they_are_destroyed) {
  struct user {
    broadcast<std::shared_ptr<user>>* home;
    explicit user(broadcast<std::shared_ptr<user>>& news) : home(&news) {}
    ~user() { EXPECT_GE(home->published(), 2U); }
  };
  broadcast<std::shared_ptr<user>> news(1);
  auto lagging = news.subscribe(lag_policy::drop_oldest);
  auto item = std::make_shared<user>(news);
  EXPECT_TRUE(news.try_publish(item));
  std::shared_ptr<user> none;
  EXPECT_TRUE(news.try_publish(none));
}

class broadcast_stress : public testing::TestWithParam<unsigned> {};

TEST_P(broadcast_stress, subscribers_miss_exactly_what_they_count) {
  std::mt19937 random(GetParam());
  broadcast<int> news(1 + random() % 8);
  constexpr int each = 500;
  const int publishers = 1 + static_cast<int>(random() % 3);
  std::atomic<int> ready{0};
  std::atomic<int> publishing{publishers};
  boost::asio::thread_pool pool(2);
  constexpr int readers = 4;

  // Reads until the end; subscribed before the first item, so read and dropped must be all.
  const auto read = [&](unsigned seed, lag_policy policy) -> task<> {
    std::mt19937 dice(seed);
    auto reader = news.subscribe(policy);
    ++ready;
    std::vector<int> last(static_cast<std::size_t>(publishers), -1);
    std::uint64_t count = 0;
    while (true) {
      std::optional<int> item;
      try {
        if (dice() % 4 == 0) {
          item = co_await weft::timeout(reader.next(), std::chrono::microseconds(dice() % 40));
        } else {
          item = co_await reader.next();
        }
      } catch (const weft::timeout_error&) {
        continue;
      }
      if (!item) break;
      ++count;
      int& before = last[static_cast<std::size_t>(*item / each)];
      EXPECT_LT(before, *item % each) << "overtaken, or seen twice";
      before = *item % each;
      if (dice() % 8 == 0) co_await yield();
    }
    EXPECT_EQ(count + reader.dropped(), static_cast<std::uint64_t>(publishers) * each);
    EXPECT_TRUE(policy != lag_policy::wait || reader.dropped() == 0);
  };
  const auto publish = [&](unsigned seed, int who) -> task<> {
    std::mt19937 dice(seed);
    co_await until([&] { return ready.load() == readers; });
    for (int i = 0; i < each;) {
      int item = who * each + i;
      try {
        if (dice() % 4 == 0) {
          co_await weft::timeout(news.publish_from(item), std::chrono::microseconds(dice() % 40));
        } else {
          co_await news.publish_from(item);
        }
        ++i;
      } catch (const weft::timeout_error&) {
        EXPECT_EQ(item, who * each + i) << "refused, but taken";
      }
    }
    if (--publishing == 0) news.close();
  };
  std::vector<std::future<void>> ends;
  for (const lag_policy policy :
       {lag_policy::wait, lag_policy::wait, lag_policy::drop_oldest, lag_policy::keep_latest}) {
    ends.push_back(
        boost::asio::co_spawn(pool, read(static_cast<unsigned>(random()), policy), boost::asio::use_future));
  }
  for (int who = 0; who < publishers; ++who) {
    ends.push_back(
        boost::asio::co_spawn(pool, publish(static_cast<unsigned>(random()), who), boost::asio::use_future));
  }
  // Others come and go, and may hold the publishers up while they are there.
  std::thread passing([&, seed = static_cast<unsigned>(random())] {
    std::mt19937 dice(seed);
    while (!news.closed()) {
      auto reader = news.subscribe(static_cast<lag_policy>(dice() % 3));
      for (unsigned i = dice() % 20; i > 0; --i) reader.try_next();
    }
  });
  for (auto& end : ends) end.get();
  passing.join();
  EXPECT_EQ(news.subscribers(), 0U);
  EXPECT_EQ(news.waiting_publishers(), 0U);
}

INSTANTIATE_TEST_SUITE_P(seeds, broadcast_stress, testing::Range(0U, 8U));

}  // namespace broadcast_test
