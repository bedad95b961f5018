#include <weft/async/stream.hpp>

#include <weft/async/timeout.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "async/stream_fixtures.hpp"

namespace stream_test {

using namespace std::chrono_literals;
using weft::from;
using weft::task;
using weft_test::counter_source;
using weft_test::in_coroutine;
using weft_test::numbers;
using weft_test::yield;

bool even(int number) {
  return number % 2 == 0;
}

TEST(stream, a_stream_is_a_value_and_each_copy_runs_on_its_own) {
  in_coroutine([]() -> task<> {
    const auto evens = from(numbers(10)) | weft::filter(even);
    auto first = co_await (evens | weft::collect());
    auto second = co_await (evens | weft::map([](int i) { return i / 2; }) | weft::collect());
    EXPECT_EQ(first, (std::vector<int>{0, 2, 4, 6, 8}));
    EXPECT_EQ(second, numbers(5));
  });
}

TEST(stream, stages_compose_before_there_is_a_source) {
  in_coroutine([]() -> task<> {
    const auto halves = weft::filter(even) | weft::map([](int i) { return i / 2; }) | weft::take(3);
    auto out = co_await (from(numbers(100)) | halves | weft::collect());
    EXPECT_EQ(out, numbers(3));
  });
}

TEST(stream, nothing_runs_before_the_pipeline_is_awaited) {
  in_coroutine([]() -> task<> {
    int asked = 0;
    auto line = from(counter_source(asked)) | weft::prefetch(4) | weft::take(1) | weft::collect();
    co_await yield(10);
    EXPECT_EQ(asked, 0);
    co_await std::move(line);
    EXPECT_GE(asked, 1);
  });
}

TEST(stream_options, values_that_cannot_work_are_named) {
  const auto message_of = [](auto make) -> std::string {
    try {
      make();
    } catch (const weft::invalid_argument& error) {
      return error.what();
    }
    return "accepted";
  };
  weft_test::plain_pool pool(1);
  const auto same = [](int i) { return i; };
  EXPECT_NE(message_of([] { weft::batch(0); }).find("batch"), std::string::npos);
  EXPECT_NE(message_of([] { weft::shuffle(0, 1); }).find("shuffle"), std::string::npos);
  EXPECT_NE(message_of([] { weft::prefetch(0); }).find("prefetch"), std::string::npos);
  EXPECT_NE(message_of([] { weft::throttle(0, 1s); }).find("throttle"), std::string::npos);
  EXPECT_NE(message_of([] { weft::throttle(1, -1s); }).find("period"), std::string::npos);
  EXPECT_NE(message_of([] { weft::batch_within(0, 1s); }).find("batch_within"), std::string::npos);
  EXPECT_NE(message_of([] { weft::batch_within(1, -1s); }).find("delay"), std::string::npos);
  EXPECT_NE(message_of([] { weft::interleave(0); }).find("interleave"), std::string::npos);
  EXPECT_NE(message_of([] { weft::from_callbacks<int>(0, [](auto) {}); }).find("capacity"),
            std::string::npos);
  EXPECT_NE(message_of([&] { weft::map(pool, same, {.concurrency = -1}); }).find("-1"), std::string::npos);
  EXPECT_NE(message_of([&] { weft::map(pool, same, {.concurrency = 4, .buffer = 3}); }).find("buffer"),
            std::string::npos);
}

TEST(stream_statistics, count_items_and_name_the_bottleneck) {
  in_coroutine([]() -> task<> {
    // Whatever holds this thread up in the other stages, this one takes twice as long.
    using clock = std::chrono::steady_clock;
    clock::duration own{};
    clock::duration others{};
    auto left = clock::now();
    auto slow = [&](int i) {
      const auto begin = clock::now();
      others += begin - left;
      do {
        left = clock::now();
      } while (left - begin < 200us || own + (left - begin) < 2 * others);
      own += left - begin;
      return i;
    };
    auto line = from(numbers(100)) | weft::filter(even) | weft::map(slow) | weft::named("decode") |
                weft::prefetch(4) | weft::batch(8) | weft::for_each([](const std::vector<int>&) {}) |
                weft::named("train");
    EXPECT_TRUE(line.stats().stages.empty());
    co_await std::move(line);
    others += clock::now() - left;
    const weft::pipeline_stats stats = line.stats();
    std::vector<std::string> names;
    for (const auto& each : stats.stages) names.push_back(each.name);
    EXPECT_EQ(names,
              (std::vector<std::string>{"from range", "filter", "decode", "prefetch", "batch", "train"}));
    EXPECT_EQ(stats.stages[0].items_out, 100U);
    EXPECT_EQ(stats.stages[1].items_in, 100U);
    EXPECT_EQ(stats.stages[1].items_out, 50U);
    EXPECT_EQ(stats.stages[4].items_in, 50U);
    EXPECT_EQ(stats.stages[4].items_out, 7U);
    EXPECT_EQ(stats.stages[5].items_in, 7U);
    if (others < own) {  // it may have been held up after the last item
      EXPECT_EQ(stats.bottleneck().name, "decode");
    }
    EXPECT_GE(stats.stages[2].busy, 10ms);
    EXPECT_GE(stats.stages[5].starved, 1ms) << "the sink waited for the slow stage";
    EXPECT_GE(stats.stages[0].blocked, 1ms) << "the source waited for the slow stage";
    EXPECT_GE(stats.elapsed, 10ms);
    EXPECT_NE(weft::to_string(stats).find("decode"), std::string::npos);
  });
}

TEST(stream, a_pipeline_that_never_waits_lets_others_run_and_can_be_cancelled) {
  in_coroutine([]() -> task<> {
    bool stopped = false;
    auto forever = from(numbers(1000)) | weft::repeat() | weft::for_each([](int) {});
    try {
      co_await weft::timeout(std::move(forever), 5ms);
    } catch (const weft::timeout_error&) {
      stopped = true;
    }
    EXPECT_TRUE(stopped);
    auto rejected =
        from(numbers(1000)) | weft::repeat() | weft::filter([](int) { return false; }) | weft::collect();
    stopped = false;
    try {
      co_await weft::timeout(std::move(rejected), 5ms);
    } catch (const weft::timeout_error&) {
      stopped = true;
    }
    EXPECT_TRUE(stopped);
  });
}

}  // namespace stream_test
