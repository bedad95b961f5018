#include <weft/core/error.hpp>
#include <weft/serve/detail/batch_release.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace batch_release_test {

using namespace std::chrono_literals;
using weft::batcher_options;
using weft::release_reason;
using weft::detail::batch_clock;
using weft::detail::batch_cost;
using weft::detail::batch_release;
using weft::detail::plan_release;

const batch_clock::time_point start{1000s};

batch_release plan(const batcher_options& options, std::size_t count, batch_clock::duration age,
                   batch_clock::duration since_latest = {}, const batch_cost& cost = {},
                   bool closing = false) {
  return plan_release(options, cost, {count, start - age, start - since_latest}, closing, start);
}

// A model that takes 4 ms and 1 ms a request.
batch_cost known_cost() {
  batch_cost cost;
  for (std::size_t i = 1; i <= 8; ++i) cost.add(i, 0.004 + 0.001 * static_cast<double>(i));
  return cost;
}

TEST(BatchReleaseTest, WithoutADelayWhatThereIsGoesAtOnce) {
  const batch_release now = plan({.max_batch_size = 8}, 3, 0us);
  EXPECT_LE(now.due, start);
  EXPECT_EQ(now.size, 3);
  EXPECT_EQ(now.why, release_reason::delay);
}

TEST(BatchReleaseTest, AFullBatchWaitsForNothing) {
  const batch_release now = plan({.max_batch_size = 8, .max_queue_delay = 1s}, 11, 0us);
  EXPECT_EQ(now.due, start);
  EXPECT_EQ(now.size, 8);
  EXPECT_EQ(now.why, release_reason::full);
}

// A time limit that begins anew with every request would let a trickle hold a batch for ever.
TEST(BatchReleaseTest, TheDelayCountsFromTheOldest) {
  const batcher_options options{.max_batch_size = 16, .max_queue_delay = 50ms};
  EXPECT_EQ(plan(options, 1, 10ms, 10ms).due, start + 40ms);
  EXPECT_EQ(plan(options, 9, 49ms, 0ms).due, start + 1ms);
  EXPECT_EQ(plan(options, 9, 50ms, 0ms).due, start);
}

TEST(BatchReleaseTest, TheLargestPreferredSizeGoesAtOnceAndOthersWait) {
  const batcher_options options{
      .max_batch_size = 16, .preferred_batch_sizes = {4, 8}, .max_queue_delay = 50ms};
  EXPECT_EQ(plan(options, 3, 0ms).due, start + 50ms);
  const batch_release nine = plan(options, 9, 0ms);
  EXPECT_EQ(nine.due, start);
  EXPECT_EQ(nine.size, 8);
  EXPECT_EQ(nine.why, release_reason::preferred);
  const batch_release late = plan(options, 3, 50ms);
  EXPECT_EQ(late.due, start);
  EXPECT_EQ(late.size, 3);
  EXPECT_EQ(late.why, release_reason::delay);
}

TEST(BatchReleaseTest, ClosingEndsTheDelay) {
  const batch_release now = plan({.max_batch_size = 8, .max_queue_delay = 1s}, 3, 0ms, 0ms, {}, true);
  EXPECT_EQ(now.due, start);
  EXPECT_EQ(now.why, release_reason::closing);
}

TEST(BatchReleaseTest, WithAGoalTheWaitIsWorthTheFixedCostSharedByThoseWhoWait) {
  const batcher_options options{.max_batch_size = 64, .latency_goal = 100ms};
  const batch_cost cost = known_cost();
  EXPECT_NEAR(std::chrono::duration<double>(plan(options, 1, 2ms, 2ms, cost).due - start).count(), 0.002,
              1e-6);
  EXPECT_NEAR(std::chrono::duration<double>(plan(options, 4, 3ms, 0ms, cost).due - start).count(), 0.001,
              1e-6);
  EXPECT_EQ(plan(options, 4, 3ms, 0ms, cost).why, release_reason::goal);
}

TEST(BatchReleaseTest, WithAGoalTheOldestLeavesInTime) {
  const batcher_options options{.max_batch_size = 64, .latency_goal = 10ms};
  // A batch of 4 takes 8 ms, so the oldest of 3 may have waited 2 ms.
  EXPECT_NEAR(std::chrono::duration<double>(plan(options, 3, 1900us, 0ms, known_cost()).due - start).count(),
              0.0001, 1e-6);
  EXPECT_LE(plan(options, 3, 5ms, 0ms, known_cost()).due, start);
}

TEST(BatchReleaseTest, AGoalThatNothingIsKnownForDoesNotHoldAnybody) {
  EXPECT_LE(plan({.max_batch_size = 64, .latency_goal = 10ms}, 1, 0ms).due, start);
}

TEST(BatchReleaseTest, TheDelayBoundsTheWaitForAGoal) {
  const batch_release bounded =
      plan({.max_batch_size = 64, .max_queue_delay = 1ms, .latency_goal = 100ms}, 1, 0ms, 0ms, known_cost());
  EXPECT_EQ(bounded.due, start + 1ms);
  EXPECT_EQ(bounded.why, release_reason::delay);
}

TEST(BatchReleaseTest, OptionsThatCannotWorkAreNamed) {
  const auto message = [](batcher_options options) {
    try {
      weft::detail::checked(std::move(options));
    } catch (const weft::invalid_argument& refused) {
      return std::string(refused.what());
    }
    return std::string();
  };
  EXPECT_NE(message({.max_batch_size = 0}).find("max_batch_size"), std::string::npos);
  EXPECT_NE(message({.max_queue_size = 0}).find("max_queue_size"), std::string::npos);
  EXPECT_NE(message({.priority_levels = 0}).find("priority_levels"), std::string::npos);
  EXPECT_NE(message({.instances = 0}).find("instances"), std::string::npos);
  EXPECT_NE(message({.max_queue_delay = -1us}).find("max_queue_delay"), std::string::npos);
  EXPECT_NE(message({.latency_goal = -1us}).find("latency_goal"), std::string::npos);
  EXPECT_NE(message({.default_timeout = -1us}).find("default_timeout"), std::string::npos);
  EXPECT_NE(message({.max_batch_size = 4, .preferred_batch_sizes = {5}}).find("preferred"),
            std::string::npos);
  EXPECT_EQ(message({.max_batch_size = 4, .preferred_batch_sizes = {4, 2}}), "");
}

}  // namespace batch_release_test
