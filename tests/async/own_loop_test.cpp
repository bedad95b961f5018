#include <weft/async/detail/own_loop.hpp>

#include <async/coroutines.hpp>

#include <weft/async/event.hpp>
#include <weft/async/gather.hpp>
#include <weft/async/race.hpp>
#include <weft/async/semaphore.hpp>
#include <weft/async/sleep.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <random>
#include <thread>
#include <vector>

namespace own_loop_test {

using namespace weft_test;
using weft::event;
using weft::semaphore;
using weft::task;

/// A thread that sets the flag once a coroutine waits for it.
std::thread setter_of(event& flag) {
  return std::thread([&flag] {
    wait_until([&flag] { return flag.waiting() == 1; });
    flag.set();
  });
}

TEST(own_loop, is_known_to_the_coroutines_that_it_runs) {
  EXPECT_EQ(weft::detail::own_loop::current(), nullptr);
  in_coroutine([]() -> task<> {
    const auto* const outer = weft::detail::own_loop::current();
    EXPECT_NE(outer, nullptr);
    in_coroutine([outer]() -> task<> {
      EXPECT_NE(weft::detail::own_loop::current(), outer);
      co_return;
    });
    EXPECT_EQ(weft::detail::own_loop::current(), outer);
    co_return;
  });
  EXPECT_EQ(weft::detail::own_loop::current(), nullptr);
}

TEST(own_loop, lets_in_who_is_woken_while_it_waits_for_a_timer) {
  event flag;
  std::thread setter;
  in_coroutine([&]() -> task<> {
    setter = setter_of(flag);
    const auto first = co_await weft::race(flag.wait(), weft::sleep_for(std::chrono::hours(1)));
    EXPECT_EQ(first.winner, 0U);
  });
  setter.join();
}

TEST(own_loop, lets_in_who_is_woken_while_it_never_sleeps) {
  event flag;
  bool woken = false;
  std::thread setter;
  auto wait = [&]() -> task<> {
    setter = setter_of(flag);
    co_await flag.wait();
    woken = true;
  };
  in_coroutine([&]() -> task<> { co_await weft::gather(wait(), until([&woken] { return woken; })); });
  setter.join();
}

TEST(own_loop, lets_in_who_is_woken_in_the_order_of_the_wake_ups) {
  constexpr std::size_t count = 200;
  for (int round = 0; round < 50; ++round) {
    std::deque<event> flags(count);
    std::vector<std::size_t> order;
    std::thread setter;
    auto wait = [&](std::size_t i) -> task<> {
      co_await flags[i].wait();
      order.push_back(i);
    };
    in_coroutine([&]() -> task<> {
      std::vector<task<>> all;
      for (std::size_t i = 0; i < count; ++i) all.push_back(wait(i));
      setter = std::thread([&flags] {
        wait_until([&flags] { return flags.back().waiting() == 1; });
        for (event& each : flags) each.set();
      });
      co_await weft::gather(std::move(all));
    });
    setter.join();
    ASSERT_EQ(order.size(), count);
    for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(order[i], i) << "in round " << round;
  }
}

TEST(own_loop, loses_no_wake_up_whether_it_sleeps_or_not) {
  constexpr int threads = 3;
  constexpr int each = 4000;
  for (unsigned seed = 0; seed < 8; ++seed) {
    semaphore permits(0);
    std::atomic<int> acquired{0};
    auto consume = [&](int consumer) -> task<> {
      std::mt19937 random(seed * 100 + static_cast<unsigned>(consumer));
      for (int i = 0; i < threads * each / 4; ++i) {
        co_await permits.acquire();
        acquired.fetch_add(1, std::memory_order_relaxed);
        // Now and then the loop is busy with something else.
        for (auto turns = random() % 8; turns > 5; --turns) co_await yield();
      }
    };
    std::vector<std::thread> wakers;
    for (int t = 0; t < threads; ++t) {
      wakers.emplace_back([&, t] {
        std::mt19937 random(seed * 100 + 50 + static_cast<unsigned>(t));
        for (int i = 0; i < each; ++i) {
          permits.release();
          // Now and then everything that was released has been taken, and the loop goes to sleep.
          if (random() % 16 == 0) std::this_thread::yield();
        }
      });
    }
    in_coroutine([&]() -> task<> { co_await weft::gather(consume(0), consume(1), consume(2), consume(3)); });
    for (std::thread& waker : wakers) waker.join();
    EXPECT_EQ(acquired.load(), threads * each);
  }
}

TEST(own_loop, outlives_the_wake_up_that_ends_it) {
  for (int round = 0; round < 500; ++round) {
    event flag;
    std::thread setter;
    in_coroutine([&]() -> task<> {
      setter = setter_of(flag);
      co_await flag.wait();
    });
    setter.join();
  }
}

}  // namespace own_loop_test
