#include <weft/async/latest.hpp>

#include <weft/async/task_group.hpp>
#include <weft/async/timeout.hpp>

#include <async/coroutines.hpp>

#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace latest_test {

using namespace std::chrono_literals;
using namespace weft_test;
using weft::latest;
using weft::task;
using weft::task_group;
using weft::with_task_group;

TEST(latest, holds_the_newest_value_and_its_version) {
  latest<std::string> slot;
  EXPECT_FALSE(slot.get());
  EXPECT_EQ(slot.version(), 0U);
  slot.publish("a");
  slot.publish("b");
  const auto now = slot.get();
  EXPECT_EQ(now->value, "b");
  EXPECT_EQ(now->version, 2U);
  EXPECT_EQ(slot.get_newer(1)->value, "b");
  EXPECT_FALSE(slot.get_newer(2));
  const latest<int> filled(5);
  EXPECT_EQ(filled.get()->value, 5);
  EXPECT_EQ(filled.version(), 1U);
}

TEST(latest, newer_waits_for_what_has_not_been_seen) {
  in_coroutine([]() -> task<> {
    latest<int> slot(1);
    std::vector<int> seen;
    co_await with_task_group([&](task_group& group) -> task<> {
      group.spawn([&]() -> task<> {
        std::uint64_t version = 0;
        while (true) {
          const auto news = co_await slot.newer(version);
          if (!news) break;
          EXPECT_GT(news->version, version);
          version = news->version;
          seen.push_back(news->value);
        }
      });
      co_await until([&] { return slot.waiting() == 1; });
      slot.publish(2);
      co_await until([&] { return slot.waiting() == 1; });
      slot.publish(3);  // overwritten before the reader runs
      slot.publish(4);
      co_await until([&] { return slot.waiting() == 1; });
      slot.close();
    });
    EXPECT_EQ(seen, (std::vector<int>{1, 2, 4}));
  });
}

TEST(latest, a_reader_ahead_of_the_slot_waits_until_it_is_overtaken) {
  in_coroutine([]() -> task<> {
    latest<int> slot;
    co_await with_task_group([&](task_group& group) -> task<> {
      group.spawn([&]() -> task<> {
        const auto third = co_await slot.newer(2);
        EXPECT_EQ(third->value, 30);
      });
      for (int value : {10, 20, 30}) {
        co_await until([&] { return slot.waiting() == 1; });
        slot.publish(value);
      }
    });
  });
}

TEST(latest, close_lets_the_last_value_out_and_refuses_new_ones) {
  in_coroutine([]() -> task<> {
    latest<int> slot;
    slot.publish(1);
    slot.close();
    slot.close();
    EXPECT_TRUE(slot.closed());
    EXPECT_THROW(slot.publish(2), weft::queue_closed);
    EXPECT_EQ((co_await slot.newer(0))->value, 1);
    EXPECT_FALSE(co_await slot.newer(1));
    EXPECT_EQ(slot.newer_wait(0)->value, 1);
    EXPECT_FALSE(slot.newer_wait(1));
  });
}

TEST(latest, a_cancelled_wait_leaves_the_slot_as_it_was) {
  in_coroutine([]() -> task<> {
    latest<int> slot(1);
    EXPECT_THROW(co_await weft::timeout(slot.newer(1), 1ms), weft::timeout_error);
    EXPECT_EQ(slot.waiting(), 0U);
    EXPECT_EQ(slot.version(), 1U);
    slot.publish(2);
    EXPECT_EQ((co_await weft::timeout(slot.newer(1), 1h))->value, 2);
  });
}

TEST(latest, values_may_use_the_slot_when_they_are_destroyed) {
  struct user {
    latest<std::shared_ptr<user>>* home;
    explicit user(latest<std::shared_ptr<user>>& slot) : home(&slot) {}
    ~user() { EXPECT_GE(home->get()->version, 2U); }
  };
  latest<std::shared_ptr<user>> slot;
  slot.publish(std::make_shared<user>(slot));
  slot.publish(nullptr);
}

TEST(latest, threads_and_coroutines_read_rising_versions_and_the_last_value) {
  latest<std::pair<int, int>> slot;  // both halves equal: a torn copy shows
  constexpr int last = 20000;
  boost::asio::thread_pool pool(2);
  std::vector<std::future<int>> readers;
  for (int i = 0; i < 2; ++i) {
    readers.push_back(boost::asio::co_spawn(
        pool,
        [&]() -> task<int> {
          std::uint64_t version = 0;
          int value = 0;
          while (true) {
            const auto news = co_await slot.newer(version);
            if (!news) break;
            EXPECT_GT(news->version, version);
            EXPECT_EQ(news->value.first, news->value.second);
            version = news->version;
            value = news->value.first;
          }
          co_return value;
        },
        boost::asio::use_future));
  }
  int of_thread = 0;
  std::thread thread([&] {
    std::uint64_t version = 0;
    while (const auto news = slot.newer_wait(version)) {
      version = news->version;
      of_thread = news->value.second;
    }
  });
  for (int i = 1; i <= last; ++i) slot.publish({i, i});
  slot.close();
  thread.join();
  EXPECT_EQ(of_thread, last);
  for (auto& each : readers) EXPECT_EQ(each.get(), last);
}

}  // namespace latest_test
