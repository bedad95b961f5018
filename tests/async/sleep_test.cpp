#include <weft/async/sleep.hpp>

#include <weft/async/gather.hpp>

#include <async/coroutines.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace weft_test;
using weft::sleep_for;
using weft::task;

TEST(sleep_for, lasts_at_least_its_time_while_others_go_on) {
  in_coroutine([]() -> task<> {
    const auto before = std::chrono::steady_clock::now();
    std::vector<int> order;
    const auto sleep = [&](std::chrono::milliseconds time, int who) -> task<> {
      co_await sleep_for(time);
      order.push_back(who);
    };
    co_await weft::gather(sleep(20ms, 2), sleep(2ms, 1), sleep(0ms, 0));
    EXPECT_GE(std::chrono::steady_clock::now() - before, 20ms);
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  });
}

TEST(sleep_for, takes_any_unit_and_no_time_for_a_negative_one) {
  in_coroutine([]() -> task<> {
    co_await sleep_for(std::chrono::duration<double>(0.0001));
    co_await sleep_for(-1h);
  });
}

TEST(sleep_for, is_cancelled_at_once) {
  hand_turned sleeping(sleep_for(24h));
  sleeping.turn();
  EXPECT_FALSE(sleeping.ended());
  sleeping.cancel();
  sleeping.turn();
  EXPECT_TRUE(sleeping.threw<weft::cancelled>());
}

}  // namespace
