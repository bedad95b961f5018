#include <weft/async/detail/workbench.hpp>

#include <async/coroutines.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <optional>

namespace workbench_test {

using namespace weft_test;
using workbench = weft::detail::workbench<int, int>;

/// A bench of two workers on which eight items lie, whose time is known: results come four at a time.
struct busy_bench {
  busy_bench(std::chrono::nanoseconds linger, std::chrono::nanoseconds item)
      : bench(16, 2, false, true, linger, record) {
    bench.measured(static_cast<std::uint64_t>(item.count()));
    for (int i = 0; i < 8; ++i) bench.put(int{i});
  }

  /// Does the next item; returns whether the consumer was woken.
  bool work() {
    const auto index = bench.claim();
    bench.set_result(*index, bench.input(*index) + 1);
    return bench.complete(*index, 1, false).woke_consumer;
  }

  weft::detail::lane lane;
  weft::detail::stage_record record{"map", 2, lane};
  workbench bench;
};

TEST(workbench, wakes_the_consumer_for_several_results_at_once) {
  busy_bench busy(std::chrono::hours(1), std::chrono::minutes(1));
  hand_turned consumer(busy.bench.arrival());
  consumer.turn();
  EXPECT_FALSE(busy.work());
  EXPECT_FALSE(busy.work());
  EXPECT_FALSE(busy.work());
  EXPECT_TRUE(busy.work());
  consumer.turn();
  EXPECT_TRUE(consumer.succeeded());
  std::optional<int> result;
  EXPECT_TRUE(busy.bench.take(result));
  EXPECT_EQ(result, 1);
}

TEST(workbench, a_consumer_that_has_waited_long_enough_is_content_with_one_result) {
  busy_bench busy(std::chrono::microseconds(1), std::chrono::nanoseconds(10));
  hand_turned consumer(busy.bench.arrival());
  consumer.turn();
  EXPECT_FALSE(busy.work());
  consumer.turn();
  EXPECT_FALSE(consumer.ended());
  wait_until([&busy] { return busy.bench.patience().count() == 0; });
  consumer.turn();
  EXPECT_TRUE(consumer.succeeded());
}

TEST(workbench, a_consumer_whose_patience_ends_before_any_result_takes_the_first) {
  busy_bench busy(std::chrono::microseconds(1), std::chrono::nanoseconds(10));
  hand_turned consumer(busy.bench.arrival());
  consumer.turn();
  wait_until([&busy] { return busy.bench.patience().count() == 0; });
  EXPECT_TRUE(busy.work());
  consumer.turn();
  EXPECT_TRUE(consumer.succeeded());
}

TEST(workbench, the_patience_of_a_wait_begins_with_it) {
  busy_bench busy(std::chrono::hours(1), std::chrono::minutes(1));
  hand_turned first(busy.bench.arrival());
  hand_turned alarm(busy.bench.armed());
  first.turn();
  alarm.turn();
  EXPECT_TRUE(alarm.succeeded());
  EXPECT_GT(busy.bench.patience(), std::chrono::hours(1));
  for (int i = 0; i < 4; ++i) busy.work();
  first.turn();
  EXPECT_EQ(busy.bench.patience().count(), 0);  // it has what it waited for

  std::optional<int> result;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(busy.bench.take(result));
  hand_turned again(busy.bench.armed());
  again.turn();
  EXPECT_FALSE(again.ended());
  hand_turned second(busy.bench.arrival());
  second.turn();
  again.turn();
  EXPECT_TRUE(again.succeeded());
  EXPECT_GT(busy.bench.patience(), std::chrono::hours(1));
  EXPECT_FALSE(busy.work());
  EXPECT_TRUE(busy.work());  // two of the four that were left
  second.turn();
  EXPECT_TRUE(second.succeeded());
}

}  // namespace workbench_test
