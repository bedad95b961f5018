#include <weft/async/race.hpp>

#include <weft/async/event.hpp>
#include <weft/async/queue.hpp>
#include <weft/async/sleep.hpp>
#include <weft/async/timeout.hpp>

#include <async/coroutines.hpp>

#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace race_test {

using namespace std::chrono_literals;
using namespace weft_test;
using weft::event;
using weft::queue;
using weft::race;
using weft::task;

template <class T>
task<T> after(int turns, T value) {
  for (int i = 0; i < turns; ++i) co_await yield();
  co_return value;
}

task<> never(int& stopped) {
  event unset;
  try {
    co_await unset.wait();
  } catch (const weft::cancelled&) {
    ++stopped;
    throw;
  }
}

TEST(race, the_first_to_finish_wins_and_the_others_are_cancelled_and_joined) {
  in_coroutine([]() -> task<> {
    int stopped = 0;
    auto end = co_await race(never(stopped), after(50, std::string("slow")), after(1, 7), never(stopped));
    EXPECT_EQ(end.winner, 2U);
    EXPECT_EQ(std::get<2>(end.results), 7);
    EXPECT_FALSE(std::get<0>(end.results));
    EXPECT_FALSE(std::get<1>(end.results));
    EXPECT_EQ(stopped, 2);
  });
}

TEST(race, over_a_range) {
  in_coroutine([]() -> task<> {
    std::vector<task<std::unique_ptr<int>>> runners;
    for (int i = 0; i < 5; ++i) runners.push_back(after(i == 3 ? 1 : 50, std::make_unique<int>(i)));
    auto end = co_await race(std::move(runners));
    EXPECT_EQ(end.winner, 3U);
    EXPECT_EQ(*end.value(), 3);
    EXPECT_EQ(end.results.size(), 5U);

    int stopped = 0;
    std::vector<task<>> silent;
    silent.push_back(never(stopped));
    silent.push_back(yield());
    EXPECT_EQ((co_await race(std::move(silent))).winner, 1U);
    EXPECT_EQ(stopped, 1);
  });
}

TEST(race, of_none_is_refused) {
  in_coroutine(
      []() -> task<> { EXPECT_THROW(co_await race(std::vector<task<>>()), weft::invalid_argument); });
}

TEST(race, a_runner_that_does_not_wait_wins_before_the_others_start) {
  in_coroutine([]() -> task<> {
    bool started = false;
    const auto end = co_await race(after(0, 1), [](bool& flag) -> task<> {
      flag = true;
      co_return;
    }(started));
    EXPECT_EQ(end.winner, 0U);
    EXPECT_FALSE(started);
  });
}

TEST(race, an_error_that_comes_first_wins) {
  in_coroutine([]() -> task<> {
    int stopped = 0;
    EXPECT_THROW(co_await race(never(stopped),
                               []() -> task<int> {
                                 co_await yield();
                                 throw std::out_of_range("first");
                               }()),
                 std::out_of_range);
    EXPECT_EQ(stopped, 1);
  });
}

TEST(race, an_error_of_a_loser_is_dropped) {
  in_coroutine([]() -> task<> {
    const auto end = co_await race(after(1, 1), []() -> task<> {
      event unset;
      try {
        co_await unset.wait();
      } catch (const weft::cancelled&) {
      }
      throw std::logic_error("late");
    }());
    EXPECT_EQ(end.winner, 0U);
  });
}

TEST(race, cancellation_from_outside_stops_all) {
  in_coroutine([]() -> task<> {
    int stopped = 0;
    EXPECT_THROW(co_await weft::timeout(race(never(stopped), never(stopped)), 1ms), weft::timeout_error);
    EXPECT_EQ(stopped, 2);
  });
}

TEST(race, cancelled_from_outside_throws_cancelled_and_after_the_finish_succeeds) {
  int stopped = 0;
  hand_turned lost([](int& count) -> task<> { co_await race(never(count), never(count)); }(stopped));
  lost.turn();
  lost.cancel();
  lost.turn();
  EXPECT_TRUE(lost.threw<weft::cancelled>());
  EXPECT_EQ(stopped, 2);

  event go;
  std::size_t winner = 9;
  hand_turned won([](event& start, int& count, std::size_t& first) -> task<> {
    const auto end = co_await race(never(count), start.wait());
    first = end.winner;
  }(go, stopped, winner));
  won.turn();
  won.on_loop([&] {
    go.set();
    won.cancel();
  });
  won.turn();
  EXPECT_TRUE(won.succeeded());
  EXPECT_EQ(winner, 1U);
}

// In peers the loser's item is gone.
TEST(race, two_pops_that_both_succeed_return_both_items) {
  in_coroutine([]() -> task<> {
    queue<int> left(1);
    queue<int> right(1);
    co_await weft::gather(
        [](queue<int>& a, queue<int>& b) -> task<> {
          auto end = co_await race(a.pop(), b.pop());
          EXPECT_EQ(std::get<0>(end.results).value(), 1);
          EXPECT_EQ(std::get<1>(end.results).value(), 2);
        }(left, right),
        [](queue<int>& a, queue<int>& b) -> task<> {
          co_await until([&] { return a.waiting_pops() == 1 && b.waiting_pops() == 1; });
          int one = 1;
          int two = 2;
          EXPECT_TRUE(a.try_push(one));
          EXPECT_TRUE(b.try_push(two));
        }(left, right));
  });
}

TEST(race, loses_no_item_on_several_threads) {
  constexpr int count = 300;
  for (unsigned seed = 0; seed < 5; ++seed) {
    boost::asio::thread_pool pool(3);
    queue<int> left(2);
    queue<int> right(2);
    std::vector<std::atomic<int>> received(2 * count);
    const auto produce = [](queue<int>& out, int from) -> task<> {
      for (int i = 0; i < count; ++i) co_await out.push(from + i);
      out.close();
    };
    auto one = boost::asio::co_spawn(pool, produce(left, 0), boost::asio::use_future);
    auto two = boost::asio::co_spawn(pool, produce(right, count), boost::asio::use_future);
    boost::asio::co_spawn(
        pool,
        [&]() -> task<> {
          bool open_left = true;
          bool open_right = true;
          const auto note = [&](const std::optional<std::optional<int>>& result, bool& open) {
            if (!result) return;
            if (*result) {
              ++received[static_cast<std::size_t>(**result)];
            } else {
              open = false;
            }
          };
          while (open_left || open_right) {
            if (open_left && open_right) {
              const auto end = co_await race(left.pop(), right.pop());
              note(std::get<0>(end.results), open_left);
              note(std::get<1>(end.results), open_right);
            } else if (open_left) {
              note(co_await left.pop(), open_left);
            } else {
              note(co_await right.pop(), open_right);
            }
          }
        },
        boost::asio::use_future)
        .get();
    one.get();
    two.get();
    for (const auto& times : received) EXPECT_EQ(times.load(), 1);
  }
}

}  // namespace race_test
