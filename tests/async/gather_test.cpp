#include <weft/async/gather.hpp>

#include <weft/async/event.hpp>
#include <weft/async/queue.hpp>
#include <weft/async/timeout.hpp>

#include <async/coroutines.hpp>

#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace gather_test {

using namespace std::chrono_literals;
using namespace weft_test;
using weft::event;
using weft::gather;
using weft::queue;
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

TEST(gather, returns_results_in_the_order_of_the_arguments) {
  in_coroutine([]() -> task<> {
    auto results = co_await gather(after(3, 1), after(0, std::string("two")), yield(),
                                   after(1, std::make_unique<int>(4)));
    static_assert(std::is_same_v<decltype(results),
                                 std::tuple<int, std::string, std::monostate, std::unique_ptr<int>>>);
    EXPECT_EQ(std::get<0>(results), 1);
    EXPECT_EQ(std::get<1>(results), "two");
    EXPECT_EQ(*std::get<3>(results), 4);
  });
}

TEST(gather, runs_its_tasks_together) {
  in_coroutine([]() -> task<> {
    event first;
    event second;
    co_await gather(
        [](event& mine, event& other) -> task<> {
          mine.set();
          co_await other.wait();
        }(first, second),
        [](event& mine, event& other) -> task<> {
          mine.set();
          co_await other.wait();
        }(second, first));
  });
}

TEST(gather, over_a_range) {
  in_coroutine([]() -> task<> {
    std::vector<task<int>> tasks;
    for (int i = 0; i < 100; ++i) tasks.push_back(after(i % 7, i));
    const std::vector<int> results = co_await gather(std::move(tasks));
    EXPECT_EQ(results.size(), 100U);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(results.at(static_cast<std::size_t>(i)), i);
    EXPECT_TRUE((co_await gather(std::vector<task<int>>())).empty());
    EXPECT_TRUE(std::is_empty_v<decltype(co_await gather())>);
    std::vector<task<>> silent;
    silent.push_back(yield());
    EXPECT_EQ((co_await gather(std::move(silent))).size(), 1U);
  });
}

TEST(gather, the_first_error_cancels_the_others_which_are_joined) {
  in_coroutine([]() -> task<> {
    int stopped = 0;
    EXPECT_THROW(co_await gather(
                     never(stopped),
                     []() -> task<int> {
                       co_await yield();
                       throw std::out_of_range("first");
                     }(),
                     never(stopped)),
                 std::out_of_range);
    EXPECT_EQ(stopped, 2);
    std::vector<task<>> tasks;
    tasks.push_back(never(stopped));
    tasks.push_back([]() -> task<> {
      co_await yield();
      throw std::out_of_range("first");
    }());
    EXPECT_THROW(co_await gather(std::move(tasks)), std::out_of_range);
    EXPECT_EQ(stopped, 3);
  });
}

TEST(gather, cancellation_stops_all) {
  in_coroutine([]() -> task<> {
    int stopped = 0;
    EXPECT_THROW(co_await weft::timeout(gather(never(stopped), never(stopped)), 1ms), weft::timeout_error);
    EXPECT_EQ(stopped, 2);
  });
  int stopped = 0;
  hand_turned waiting([](int& count) -> task<> { co_await gather(never(count), after(0, 1)); }(stopped));
  waiting.turn();
  waiting.cancel();
  waiting.turn();
  EXPECT_TRUE(waiting.threw<weft::cancelled>());
  EXPECT_EQ(stopped, 1);
}

TEST(gather, results_that_are_complete_when_the_cancellation_comes_are_returned) {
  queue<int> items(2);
  int sum = 0;
  hand_turned waiting([](queue<int>& in, int& out) -> task<> {
    const auto [one, two] = co_await gather(in.pop(), in.pop());
    out = one.value() + two.value();
  }(items, sum));
  waiting.turn();
  EXPECT_EQ(items.waiting_pops(), 2U);
  waiting.on_loop([&] {
    items.push_wait(1);
    items.push_wait(2);
    waiting.cancel();
  });
  waiting.turn();
  EXPECT_EQ(sum, 3) << "two items have been popped and are gone";
}

TEST(gather, runs_on_several_threads) {
  boost::asio::thread_pool pool(3);
  for (int round = 0; round < 20; ++round) {
    const auto results = boost::asio::co_spawn(
                             pool,
                             []() -> task<std::vector<int>> {
                               std::vector<task<int>> tasks;
                               for (int i = 0; i < 50; ++i) tasks.push_back(after(i % 3, i));
                               co_return co_await gather(std::move(tasks));
                             },
                             boost::asio::use_future)
                             .get();
    for (int i = 0; i < 50; ++i) EXPECT_EQ(results.at(static_cast<std::size_t>(i)), i);
  }
}

}  // namespace gather_test
