#include <weft/async/queue.hpp>

#include <weft/async/gather.hpp>
#include <weft/async/run.hpp>
#include <weft/async/task_group.hpp>
#include <weft/async/timeout.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace queue_test {

using namespace std::chrono_literals;
using weft::queue;
using weft::task;
using weft::task_group;
using weft::with_task_group;

/// Lets every coroutine that is ready run once.
task<> yield() {
  co_await boost::asio::post(boost::asio::use_awaitable);
}

task<> until_pops_wait(const queue<int>& items, std::size_t count) {
  while (items.waiting_pops() < count) co_await yield();
}

task<> until_pushes_wait(const queue<int>& items, std::size_t count) {
  while (items.waiting_pushes() < count) co_await yield();
}

task<std::string> outcome_of_push(queue<int>& items, int& value) {
  try {
    co_await items.push_from(value);
  } catch (const weft::queue_closed&) {
    co_return "closed";
  } catch (const weft::cancelled&) {
    co_return "cancelled";
  }
  co_return "in";
}

template <class F>
void in_coroutine(F body) {
  weft::run(body());
}

// ---- construction and order ------------------------------------------------------------------------------

TEST(queue, refuses_capacity_zero_and_names_it) {
  try {
    const queue<int> items(0);
    FAIL() << "a queue of capacity 0 was built";
  } catch (const weft::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("capacity is 0"), std::string::npos) << error.what();
  }
  EXPECT_THROW(queue<int>(std::size_t{1} << 40), weft::invalid_argument);
}

TEST(queue, holds_exactly_its_capacity) {
  for (const std::size_t capacity : {1U, 2U, 3U, 7U, 8U, 10U}) {
    queue<int> items(capacity);
    EXPECT_EQ(items.capacity(), capacity);
    for (int round = 0; round < 5; ++round) {
      for (std::size_t i = 0; i < capacity; ++i) {
        int value = static_cast<int>(i);
        EXPECT_TRUE(items.try_push(value));
        EXPECT_EQ(items.size(), i + 1);
      }
      int surplus = 99;
      EXPECT_FALSE(items.try_push(surplus));
      EXPECT_EQ(surplus, 99);
      for (std::size_t i = 0; i < capacity; ++i) EXPECT_EQ(items.try_pop(), static_cast<int>(i));
      EXPECT_EQ(items.try_pop(), std::nullopt);
    }
  }
}

TEST(queue, destroys_what_is_left_in_it) {
  const auto counted = std::make_shared<int>(0);
  {
    queue<std::shared_ptr<int>> items(4);
    for (int i = 0; i < 3; ++i) {
      auto copy = counted;
      items.try_push(copy);
    }
    items.try_pop();
    EXPECT_EQ(counted.use_count(), 3);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

TEST(queue, carries_items_in_order_between_coroutines) {
  in_coroutine([]() -> task<> {
    for (const std::size_t capacity : {1U, 3U, 64U}) {
      queue<int> items(capacity);
      int expected = 0;
      co_await with_task_group([&](task_group& group) -> task<> {
        group.spawn(
            [](queue<int>& out) -> task<> {
              for (int i = 0; i < 1000; ++i) co_await out.push(i);
              out.close();
            },
            std::ref(items));
        while (true) {
          const auto item = co_await items.pop();
          if (!item) break;
          EXPECT_EQ(*item, expected);
          ++expected;
        }
      });
      EXPECT_EQ(expected, 1000);
    }
  });
}

// Peers that serve the latest waiter first starve the earliest.
TEST(queue, serves_waiting_pops_in_the_order_they_came) {
  in_coroutine([]() -> task<> {
    queue<int> items(8);
    std::vector<std::pair<int, int>> served;
    co_await with_task_group([&](task_group& group) -> task<> {
      for (int consumer = 0; consumer < 4; ++consumer) {
        group.spawn(
            [](queue<int>& in, int who, std::vector<std::pair<int, int>>& log) -> task<> {
              const auto item = co_await in.pop();
              log.emplace_back(who, item.value_or(-1));
            },
            std::ref(items), consumer, std::ref(served));
        co_await until_pops_wait(items, static_cast<std::size_t>(consumer) + 1);
      }
      for (int item = 0; item < 4; ++item) co_await items.push(item);
    });
    EXPECT_EQ(served, (std::vector<std::pair<int, int>>{{0, 0}, {1, 1}, {2, 2}, {3, 3}}));
  });
}

TEST(queue, serves_waiting_pushes_in_the_order_they_came_and_lets_nobody_overtake) {
  in_coroutine([]() -> task<> {
    queue<int> items(1);
    co_await items.push(0);
    co_await with_task_group([&](task_group& group) -> task<> {
      for (int value = 1; value <= 3; ++value) {
        group.spawn(items.push(value));
        co_await until_pushes_wait(items, static_cast<std::size_t>(value));
      }
      int late = 99;
      EXPECT_FALSE(items.try_push(late));
      for (int expected = 0; expected <= 3; ++expected) {
        EXPECT_EQ(co_await items.pop(), expected);
        if (expected < 3) {
          // The place that came free belongs to the next waiter already.
          EXPECT_EQ(items.size(), 1U);
          EXPECT_FALSE(items.try_push(late));
        }
      }
    });
    EXPECT_EQ(items.size(), 0U);
  });
}

TEST(queue, try_pop_does_not_overtake_a_waiting_pop) {
  in_coroutine([]() -> task<> {
    queue<int> items(4);
    co_await with_task_group([&](task_group& group) -> task<> {
      group.spawn(
          [](queue<int>& in) -> task<> {
            const auto item = co_await in.pop();
            EXPECT_EQ(item, 1);
          },
          std::ref(items));
      co_await until_pops_wait(items, 1);
      co_await items.push(1);
      EXPECT_EQ(items.try_pop(), std::nullopt);
    });
  });
}

// ---- closing
// ------------------------------------------------------------------------------------------------

TEST(queue, lets_queued_items_out_after_close_and_then_ends) {
  in_coroutine([]() -> task<> {
    queue<int> items(4);
    co_await items.push(1);
    co_await items.push(2);
    EXPECT_FALSE(items.closed());
    items.close();
    items.close();
    EXPECT_TRUE(items.closed());
    EXPECT_THROW(co_await items.push(3), weft::queue_closed);
    int refused = 3;
    EXPECT_THROW(items.try_push(refused), weft::queue_closed);
    EXPECT_THROW(items.push_wait(3), weft::queue_closed);
    EXPECT_EQ(co_await items.pop(), 1);
    EXPECT_EQ(items.pop_wait(), 2);
    EXPECT_EQ(co_await items.pop(), std::nullopt);
    EXPECT_EQ(items.pop_wait(), std::nullopt);
    EXPECT_EQ(items.try_pop(), std::nullopt);
    EXPECT_TRUE((co_await items.pop_some(5)).empty());
  });
}

TEST(queue, close_wakes_waiting_pops_with_the_end) {
  in_coroutine([]() -> task<> {
    queue<int> items(4);
    int ended = 0;
    co_await with_task_group([&](task_group& group) -> task<> {
      for (int i = 0; i < 3; ++i) {
        group.spawn(
            [](queue<int>& in, int& count) -> task<> {
              const auto item = co_await in.pop();
              if (!item) ++count;
            },
            std::ref(items), std::ref(ended));
      }
      co_await until_pops_wait(items, 3);
      items.close();
    });
    EXPECT_EQ(ended, 3);
  });
}

// A peer reports the waiting push as done here and loses its item.
TEST(queue, close_refuses_waiting_pushes_with_their_value_intact) {
  in_coroutine([]() -> task<> {
    queue<int> items(1);
    co_await items.push(1);
    int waiting = 2;
    std::string outcome;
    co_await with_task_group([&](task_group& group) -> task<> {
      group.spawn([](queue<int>& out, int& value,
                     std::string& result) -> task<> { result = co_await outcome_of_push(out, value); },
                  std::ref(items), std::ref(waiting), std::ref(outcome));
      co_await until_pushes_wait(items, 1);
      items.close();
    });
    EXPECT_EQ(outcome, "closed");
    EXPECT_EQ(waiting, 2);
    EXPECT_EQ(co_await items.pop(), 1);
    EXPECT_EQ(co_await items.pop(), std::nullopt);
  });
}

TEST(queue, close_and_discard_counts_what_it_throws_away) {
  in_coroutine([]() -> task<> {
    const auto counted = std::make_shared<int>(0);
    queue<std::shared_ptr<int>> items(4);
    for (int i = 0; i < 3; ++i) co_await items.push(counted);
    EXPECT_EQ(items.close_and_discard(), 3U);
    EXPECT_EQ(counted.use_count(), 1);
    EXPECT_EQ(items.close_and_discard(), 0U);
    EXPECT_FALSE((co_await items.pop()).has_value());
    co_await items.drained();
  });
}

TEST(queue, close_and_discard_may_destroy_items_that_use_the_queue) {
  struct user {
    queue<user>* home = nullptr;
    explicit user(queue<user>* where) : home(where) {}
    user(user&& other) noexcept : home(std::exchange(other.home, nullptr)) {}
    ~user() {
      if (home != nullptr) {
        EXPECT_TRUE(home->closed());
        EXPECT_EQ(home->size(), 0U);
      }
    }
  };
  queue<user> items(2);
  user one(&items);
  ASSERT_TRUE(items.try_push(one));
  EXPECT_EQ(items.close_and_discard(), 1U);
}

// ---- cancellation
// -------------------------------------------------------------------------------------------

TEST(queue, a_timed_out_pop_leaves_the_queue_as_it_was) {
  in_coroutine([]() -> task<> {
    queue<int> items(2);
    for (int round = 0; round < 3; ++round) {
      EXPECT_THROW(co_await weft::timeout(items.pop(), 1ms), weft::timeout_error);
      EXPECT_EQ(items.waiting_pops(), 0U);
      co_await items.push(round);
      EXPECT_EQ(items.size(), 1U);
      EXPECT_EQ(co_await items.pop(), round);
    }
  });
}

TEST(queue, a_timed_out_push_has_not_enqueued_and_keeps_its_value) {
  in_coroutine([]() -> task<> {
    queue<int> items(1);
    co_await items.push(1);
    int kept = 2;
    EXPECT_THROW(co_await weft::timeout(items.push_from(kept), 1ms), weft::timeout_error);
    EXPECT_EQ(kept, 2);
    EXPECT_EQ(items.waiting_pushes(), 0U);
    EXPECT_EQ(co_await items.pop(), 1);
    EXPECT_EQ(items.size(), 0U);
    EXPECT_TRUE(items.try_push(kept));
  });
}

// A peer completes the push with success after close() and a cancellation, though nothing was delivered.
TEST(queue, cancelling_after_close_does_not_report_success) {
  in_coroutine([]() -> task<> {
    queue<int> items(1);
    co_await items.push(1);
    int value = 2;
    std::string outcome;
    co_await with_task_group([&](task_group& group) -> task<> {
      group.spawn([](queue<int>& out, int& from,
                     std::string& result) -> task<> { result = co_await outcome_of_push(out, from); },
                  std::ref(items), std::ref(value), std::ref(outcome));
      co_await until_pushes_wait(items, 1);
      items.close();
      group.cancel();
    });
    EXPECT_EQ(outcome, "closed");
    EXPECT_EQ(value, 2);
  });
}

TEST(queue, the_waiter_behind_a_cancelled_one_is_served) {
  in_coroutine([]() -> task<> {
    queue<int> items(1);
    std::optional<int> second;
    co_await with_task_group([&](task_group& group) -> task<> {
      group.spawn(
          [](queue<int>& in) -> task<> {
            EXPECT_THROW(co_await weft::timeout(in.pop(), 1ms), weft::timeout_error);
            co_await in.push(7);
          },
          std::ref(items));
      co_await until_pops_wait(items, 1);
      second = co_await items.pop();
    });
    EXPECT_EQ(second, 7);
  });
}

// ---- several items, and their completion
// ---------------------------------------------------------------------

TEST(queue, pushes_and_pops_many_at_once_in_order) {
  in_coroutine([]() -> task<> {
    queue<int> items(10);
    std::vector<int> received;
    co_await with_task_group([&](task_group& group) -> task<> {
      group.spawn(
          [](queue<int>& out) -> task<> {
            std::vector<int> values(1000);
            for (int i = 0; i < 1000; ++i) values[static_cast<std::size_t>(i)] = i;
            EXPECT_EQ(co_await out.push_all(std::move(values)), 1000U);
            out.close();
          },
          std::ref(items));
      while (true) {
        const auto some = co_await items.pop_some(7);
        EXPECT_LE(some.size(), 7U);
        if (some.empty()) break;
        received.insert(received.end(), some.begin(), some.end());
      }
    });
    EXPECT_EQ(received.size(), 1000U);
    EXPECT_TRUE(std::is_sorted(received.begin(), received.end()));
    EXPECT_TRUE((co_await items.pop_some(0)).empty());
  });
}

TEST(queue, push_all_says_how_many_went_in_before_close) {
  in_coroutine([]() -> task<> {
    queue<std::string> items(3);
    std::vector<std::string> values{"a", "b", "c", "d", "e"};
    std::size_t in = 0;
    co_await with_task_group([&](task_group& group) -> task<> {
      group.spawn(
          [](queue<std::string>& out, std::vector<std::string>& from, std::size_t& count) -> task<> {
            count = co_await out.push_all(std::span<std::string>(from));
          },
          std::ref(items), std::ref(values), std::ref(in));
      while (items.waiting_pushes() == 0) co_await yield();
      items.close();
    });
    EXPECT_EQ(in, 3U);
    EXPECT_EQ(values[3], "d");
    EXPECT_EQ(values[4], "e");
    EXPECT_EQ((co_await items.pop_some(9)).size(), 3U);
  });
}

TEST(queue, drained_waits_until_every_popped_item_is_done) {
  in_coroutine([]() -> task<> {
    queue<int> items(4);
    co_await items.drained();
    EXPECT_THROW(items.done(), weft::invalid_argument);
    bool drained = false;
    co_await with_task_group([&](task_group& group) -> task<> {
      for (int i = 0; i < 3; ++i) co_await items.push(i);
      group.spawn(
          [](queue<int>& all, bool& flag) -> task<> {
            co_await all.drained();
            flag = true;
          },
          std::ref(items), std::ref(drained));
      for (int i = 0; i < 3; ++i) {
        co_await items.pop();
        for (int turn = 0; turn < 5; ++turn) co_await yield();
        EXPECT_FALSE(drained);
        if (i < 2) items.done();
      }
      items.done();
    });
    EXPECT_TRUE(drained);
    EXPECT_THROW(items.done(), weft::invalid_argument);
    EXPECT_THROW(co_await weft::timeout(
                     [](queue<int>& all) -> task<> {
                       co_await all.push(1);
                       co_await all.drained();
                     }(items),
                     1ms),
                 weft::timeout_error);
    items.done();
    co_await items.drained();
  });
}

// ---- element types
// -------------------------------------------------------------------------------------------

TEST(queue, carries_move_only_items) {
  in_coroutine([]() -> task<> {
    queue<std::unique_ptr<int>> items(1);
    co_await items.push(std::make_unique<int>(5));
    const auto item = co_await items.pop();
    EXPECT_EQ(**item, 5);
  });
}

struct throws_on_move {
  static inline int moves_until_throw = -1;  // never while negative
  int value;
  explicit throws_on_move(int v) : value(v) {}
  throws_on_move(throws_on_move&& other) noexcept(false) : value(other.value) {
    if (moves_until_throw >= 0 && moves_until_throw-- == 0) throw std::runtime_error("moving failed");
  }
};

TEST(queue, a_throwing_move_changes_nothing) {
  queue<throws_on_move> items(2);
  throws_on_move first(1);
  throws_on_move second(2);
  ASSERT_TRUE(items.try_push(first));
  throws_on_move::moves_until_throw = 0;
  EXPECT_THROW(items.try_push(second), std::runtime_error);
  EXPECT_EQ(items.size(), 1U);
  throws_on_move::moves_until_throw = 0;
  EXPECT_THROW(items.try_pop(), std::runtime_error);
  EXPECT_EQ(items.size(), 1U);
  ASSERT_TRUE(items.try_push(second));
  EXPECT_EQ(items.try_pop()->value, 1);
  EXPECT_EQ(items.try_pop()->value, 2);
}

TEST(queue, a_throwing_move_reaches_the_pop_that_waits_for_the_item) {
  in_coroutine([]() -> task<> {
    queue<throws_on_move> items(2);
    co_await with_task_group([&](task_group& group) -> task<> {
      group.spawn(
          [](queue<throws_on_move>& in) -> task<> {
            EXPECT_THROW(co_await in.pop(), std::runtime_error);
            EXPECT_EQ(in.size(), 1U);
            const auto item = co_await in.pop();
            EXPECT_EQ(item->value, 3);
          },
          std::ref(items));
      while (items.waiting_pops() == 0) co_await yield();
      throws_on_move value(3);
      throws_on_move::moves_until_throw = 1;  // into the queue it goes, out of it it does not
      EXPECT_TRUE(items.try_push(value));
    });
    EXPECT_EQ(items.size(), 0U);
  });
}

TEST(queue, a_throwing_move_reaches_the_push_that_waits_for_the_place) {
  in_coroutine([]() -> task<> {
    queue<throws_on_move> items(1);
    throws_on_move first(1);
    throws_on_move second(2);
    items.try_push(first);
    co_await with_task_group([&](task_group& group) -> task<> {
      group.spawn(
          [](queue<throws_on_move>& out, throws_on_move& value) -> task<> {
            EXPECT_THROW(co_await out.push_from(value), std::runtime_error);
            EXPECT_EQ(value.value, 2);
          },
          std::ref(items), std::ref(second));
      while (items.waiting_pushes() == 0) co_await yield();
      throws_on_move::moves_until_throw = 1;  // out to this pop, but not in from the waiter
      EXPECT_EQ(items.try_pop()->value, 1);
    });
    EXPECT_EQ(items.size(), 0U);
  });
}

// ---- threads and executors
// ------------------------------------------------------------------------------------

TEST(queue, a_waiting_coroutine_resumes_on_its_own_executor) {
  boost::asio::thread_pool home(1);
  queue<int> items(1);
  auto popped = boost::asio::co_spawn(
      home,
      [&]() -> task<bool> {
        const auto before = std::this_thread::get_id();
        const auto item = co_await items.pop();
        co_return item == 1 && std::this_thread::get_id() == before;
      },
      boost::asio::use_future);
  while (items.waiting_pops() == 0) std::this_thread::yield();
  items.push_wait(1);
  EXPECT_TRUE(popped.get());
}

TEST(queue, a_waiting_coroutine_resumes_on_its_strand) {
  boost::asio::thread_pool threads(2);
  const auto strand = boost::asio::make_strand(threads);
  queue<int> items(1);
  auto popped = boost::asio::co_spawn(
      strand,
      [&]() -> task<bool> {
        const auto item = co_await items.pop();
        co_return item == 1 && strand.running_in_this_thread();
      },
      boost::asio::use_future);
  while (items.waiting_pops() == 0) std::this_thread::yield();
  items.push_wait(1);
  EXPECT_TRUE(popped.get());
}

TEST(queue, plain_threads_wait_for_items_and_for_room) {
  queue<int> items(2);
  long sum = 0;
  std::thread consumer([&] {
    while (const auto item = items.pop_wait()) sum += *item;
  });
  while (items.waiting_pops() == 0) std::this_thread::yield();
  for (int i = 1; i <= 10000; ++i) items.push_wait(i);
  items.close();
  consumer.join();
  EXPECT_EQ(sum, 10000L * 10001 / 2);
}

TEST(queue, close_wakes_blocked_threads) {
  queue<int> full(1);
  queue<int> empty(1);
  full.push_wait(1);
  std::thread pusher([&] { EXPECT_THROW(full.push_wait(2), weft::queue_closed); });
  std::thread popper([&] { EXPECT_EQ(empty.pop_wait(), std::nullopt); });
  while (full.waiting_pushes() == 0 || empty.waiting_pops() == 0) std::this_thread::yield();
  full.close();
  empty.close();
  pusher.join();
  popper.join();
}

// ---- races: every accepted item comes out exactly once, and in order per producer
// -------------------------------

struct stamped {
  int producer = 0;
  int number = 0;
};

struct tally {
  explicit tally(int producers) : last(static_cast<std::size_t>(producers), -1), count(0) {}
  void add(const stamped& item) {
    EXPECT_LT(last[static_cast<std::size_t>(item.producer)], item.number) << "overtaken, or out twice";
    last[static_cast<std::size_t>(item.producer)] = item.number;
    ++count;
  }
  std::vector<int> last;
  long count;
};

enum class style { coroutine, thread, bulk, trying };

task<> produce(queue<stamped>& out, int who, int count, style how, unsigned seed,
               std::atomic<long>& accepted) {
  std::mt19937 random(seed);
  for (int number = 0; number < count;) {
    try {
      if (how == style::bulk) {
        std::vector<stamped> some;
        for (unsigned i = 1 + random() % 9; i > 0 && number < count; --i) some.push_back({who, number++});
        const std::size_t in = co_await out.push_all(std::span<stamped>(some));
        accepted += static_cast<long>(in);
        if (in < some.size()) co_return;
      } else if (how == style::trying) {
        stamped item{who, number};
        if (out.try_push(item)) {
          ++number;
          ++accepted;
        } else {
          co_await yield();
        }
      } else {
        co_await out.push({who, number++});
        ++accepted;
      }
    } catch (const weft::queue_closed&) {
      co_return;
    }
    if (random() % 64 == 0) co_await yield();
  }
}

task<> consume(queue<stamped>& in, style how, unsigned seed, tally& seen) {
  std::mt19937 random(seed);
  while (true) {
    if (how == style::bulk) {
      const auto some = co_await in.pop_some(1 + random() % 9);
      if (some.empty()) co_return;
      for (const auto& item : some) seen.add(item);
    } else if (how == style::trying) {
      const auto item = in.try_pop();
      if (item) {
        seen.add(*item);
      } else if (in.closed() && in.size() == 0) {
        co_return;
      } else {
        co_await yield();
      }
    } else {
      const auto item = co_await in.pop();
      if (!item) co_return;
      seen.add(*item);
    }
    if (random() % 64 == 0) co_await yield();
  }
}

class queue_stress : public testing::TestWithParam<unsigned> {};

TEST_P(queue_stress, no_item_is_lost_or_repeated) {
  std::mt19937 random(GetParam());
  const std::size_t capacity = 1 + random() % (random() % 2 == 0 ? 3 : 100);
  const int producers = 1 + static_cast<int>(random() % 4);
  const int consumers = 1 + static_cast<int>(random() % 4);
  const bool close_early = random() % 2 == 0;
  constexpr int each = 2000;
  queue<stamped> items(capacity);
  std::atomic<long> accepted{0};
  std::vector<tally> seen(static_cast<std::size_t>(consumers), tally(producers));
  std::vector<std::thread> producing;
  std::vector<std::thread> consuming;
  const auto pick = [&] { return static_cast<style>(random() % 4); };
  for (int who = 0; who < producers; ++who) {
    producing.emplace_back([&items, &accepted, who, how = pick(), seed = static_cast<unsigned>(random())] {
      if (how == style::thread) {
        for (int number = 0; number < each; ++number) {
          try {
            items.push_wait({who, number});
          } catch (const weft::queue_closed&) {
            return;
          }
          ++accepted;
        }
      } else {
        weft::run(produce(items, who, each, how, seed, accepted));
      }
    });
  }
  for (int who = 0; who < consumers; ++who) {
    auto& mine = seen[static_cast<std::size_t>(who)];
    consuming.emplace_back([&items, &mine, how = pick(), seed = static_cast<unsigned>(random())] {
      if (how == style::thread) {
        while (const auto item = items.pop_wait()) mine.add(*item);
      } else {
        weft::run(consume(items, how, seed, mine));
      }
    });
  }
  if (close_early) {
    while (accepted.load() < each / 2) std::this_thread::yield();
    items.close();
  }
  for (auto& thread : producing) thread.join();
  items.close();
  for (auto& thread : consuming) thread.join();
  long received = 0;
  for (const auto& one : seen) received += one.count;
  EXPECT_EQ(received, accepted.load());
}

TEST_P(queue_stress, cancelled_operations_neither_lose_nor_duplicate) {
  const unsigned seed = GetParam();
  std::mt19937 random(seed);
  queue<int> items(1 + random() % 4);
  constexpr int count = 300;
  std::atomic<int> refused{0};
  std::vector<std::atomic<int>> received(count);
  std::thread producing([&, own = static_cast<unsigned>(random())] {
    weft::run([](queue<int>& out, std::atomic<int>& failures, unsigned seed_of_this) -> task<> {
      std::mt19937 dice(seed_of_this);
      for (int i = 0; i < count; ++i) {
        int value = i;
        bool in = false;
        while (!in) {
          try {
            co_await weft::timeout(out.push_from(value), std::chrono::microseconds(dice() % 60));
            in = true;
          } catch (const weft::timeout_error&) {
            EXPECT_EQ(value, i);
            ++failures;
          }
        }
      }
      out.close();
    }(items, refused, own));
  });
  std::vector<std::thread> consuming;
  for (int consumer = 0; consumer < 2; ++consumer) {
    consuming.emplace_back([&, own = static_cast<unsigned>(random())] {
      weft::run([](queue<int>& in, std::vector<std::atomic<int>>& got, unsigned seed_of_this) -> task<> {
        std::mt19937 dice(seed_of_this);
        while (true) {
          try {
            const auto item = co_await weft::timeout(in.pop(), std::chrono::microseconds(dice() % 60));
            if (!item) co_return;
            ++got[static_cast<std::size_t>(*item)];
          } catch (const weft::timeout_error&) {
          }
        }
      }(items, received, own));
    });
  }
  producing.join();
  for (auto& thread : consuming) thread.join();
  for (int i = 0; i < count; ++i) EXPECT_EQ(received[static_cast<std::size_t>(i)].load(), 1) << "item " << i;
}

INSTANTIATE_TEST_SUITE_P(seeds, queue_stress, testing::Range(0U, 12U));

}  // namespace queue_test
