#include <gtest/gtest.h>

#include <chrono>  // for std::chrono::steady_clock
#include <weft/observe/stopwatch.hpp>

namespace stopwatch_test {

TEST(stopwatch, laps_add_up_to_the_whole) {
  const auto before = std::chrono::steady_clock::now();
  weft::stopwatch watch;
  const auto created = std::chrono::steady_clock::now();
  auto sum = watch.restart();
  sum += watch.restart();
  const auto last = watch.restart();
  const auto after = std::chrono::steady_clock::now();
  EXPECT_LE(sum + last, after - before);
  EXPECT_GE(sum + last + (created - before), std::chrono::nanoseconds(0));
  EXPECT_GE(watch.seconds(), 0.0);
  EXPECT_LE(watch.elapsed(), std::chrono::steady_clock::now() - before);
}

}  // namespace stopwatch_test
