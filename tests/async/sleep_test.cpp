#include <weft/async/sleep.hpp>

#include <weft/async/gather.hpp>
#include <weft/async/race.hpp>

#include <async/coroutines.hpp>

#include <gtest/gtest.h>

#include <chrono>

namespace sleep_test {

using namespace std::chrono_literals;
using namespace weft_test;
using weft::sleep_for;
using weft::task;

TEST(sleep_for, lasts_at_least_its_time_while_others_go_on) {
  in_coroutine([]() -> task<> {
    bool other_ran = false;
    const auto sleep = [&]() -> task<> {
      const auto before = std::chrono::steady_clock::now();
      co_await sleep_for(20ms);
      EXPECT_GE(std::chrono::steady_clock::now() - before, 20ms);
      EXPECT_TRUE(other_ran);
    };
    const auto other = [&]() -> task<> {
      other_ran = true;
      co_return;
    };
    co_await weft::gather(sleep(), other());
  });
}

TEST(sleep_for, a_long_one_holds_up_no_short_one) {
  in_coroutine([]() -> task<> {
    const auto first = co_await weft::race(sleep_for(24h), sleep_for(2ms));
    EXPECT_EQ(first.winner, 1U);
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

}  // namespace sleep_test
