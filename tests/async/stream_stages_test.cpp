#include <weft/async/stream.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include "async/stream_fixtures.hpp"

namespace stream_stages_test {

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

TEST(stream_filter, lets_through_what_fits) {
  in_coroutine([]() -> task<> {
    auto out = co_await (from(numbers(7)) | weft::filter(even) | weft::collect());
    EXPECT_EQ(out, (std::vector<int>{0, 2, 4, 6}));
  });
}

TEST(stream_tap, sees_each_item_and_changes_none) {
  in_coroutine([]() -> task<> {
    std::vector<int> seen;
    auto look = [&](const int& i) { seen.push_back(i); };
    auto out = co_await (from(numbers(5)) | weft::tap(look) | weft::collect());
    EXPECT_EQ(out, numbers(5));
    EXPECT_EQ(seen, out);
  });
}

TEST(stream_take, nothing_at_all) {
  in_coroutine([]() -> task<> {
    int asked = 0;
    auto out = co_await (from(counter_source(asked)) | weft::prefetch(2) | weft::take(0) | weft::collect());
    EXPECT_TRUE(out.empty());
    EXPECT_EQ(asked, 0);
  });
}

TEST(stream_batch, the_last_one_may_be_short_or_dropped) {
  in_coroutine([]() -> task<> {
    auto all = co_await (from(numbers(7)) | weft::batch(3) | weft::collect());
    EXPECT_EQ(all, (std::vector<std::vector<int>>{{0, 1, 2}, {3, 4, 5}, {6}}));
    const weft::batch_options drop{.drop_last = true};
    auto full = co_await (from(numbers(7)) | weft::batch(3, drop) | weft::collect());
    EXPECT_EQ(full, (std::vector<std::vector<int>>{{0, 1, 2}, {3, 4, 5}}));
    auto exact = co_await (from(numbers(6)) | weft::batch(3, drop) | weft::collect());
    EXPECT_EQ(exact.size(), 2U);
  });
}

TEST(stream_prefetch, works_ahead_by_as_much_as_it_says) {
  in_coroutine([]() -> task<> {
    int asked = 0;
    int ahead = 0;
    auto watch = [&](auto& items) -> task<> {
      for (int taken = 0; taken < 50; ++taken) {
        co_await yield(20);
        ahead = std::max(ahead, asked - taken);
        EXPECT_LE(asked, taken + 4);
        const std::optional<int> item = co_await items.next();
        EXPECT_EQ(item, taken);
      }
    };
    co_await (from(counter_source(asked)) | weft::prefetch(4) | weft::pull(watch));
    EXPECT_EQ(ahead, 4);
  });
}

TEST(stream_prefetch, one_ahead_is_enough_to_run) {
  in_coroutine([]() -> task<> {
    auto out = co_await (from(numbers(100)) | weft::prefetch(1) | weft::prefetch(1) | weft::collect());
    EXPECT_EQ(out, numbers(100));
  });
}

TEST(stream_tee, copies_into_the_queue_and_closes_it) {
  in_coroutine([]() -> task<> {
    weft::queue<int> copy(16);
    auto out = co_await (from(numbers(6)) | weft::tee(copy) | weft::collect());
    EXPECT_EQ(out, numbers(6));
    EXPECT_TRUE(copy.closed());
    auto copies = co_await copy.pop_some(16);
    EXPECT_EQ(copies, numbers(6));
  });
}

TEST(stream_tee, goes_on_when_the_reader_of_the_copies_has_gone) {
  in_coroutine([]() -> task<> {
    weft::queue<int> copy(1);
    copy.close();
    auto out = co_await (from(numbers(6)) | weft::tee(copy) | weft::collect());
    EXPECT_EQ(out, numbers(6));
  });
}

TEST(stream_repeat, runs_every_pass_from_the_beginning) {
  in_coroutine([]() -> task<> {
    auto out = co_await (from(numbers(3)) | weft::map([](int i) { return i * 2; }) | weft::repeat(3) |
                         weft::collect());
    EXPECT_EQ(out, (std::vector<int>{0, 2, 4, 0, 2, 4, 0, 2, 4}));
    auto none = co_await (from(numbers(3)) | weft::repeat(0) | weft::collect());
    EXPECT_TRUE(none.empty());
    auto part = co_await (from(numbers(3)) | weft::repeat() | weft::take(7) | weft::collect());
    EXPECT_EQ(part, (std::vector<int>{0, 1, 2, 0, 1, 2, 0}));
    auto empty = co_await (from(std::vector<int>()) | weft::repeat() | weft::collect());
    EXPECT_TRUE(empty.empty());
  });
}

TEST(stream_repeat, joins_the_background_work_of_every_pass) {
  in_coroutine([]() -> task<> {
    auto source = from(numbers(20)) | weft::take(10) | weft::prefetch(3) | weft::take(5);
    auto line = source | weft::repeat(4) | weft::prefetch(2) | weft::collect();
    auto out = co_await std::move(line);
    EXPECT_EQ(out, (std::vector<int>{0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4}));
    const weft::pipeline_stats stats = line.stats();
    EXPECT_EQ(stats.stages.size(), 7U) << "the passes share their records";
    EXPECT_EQ(stats.stages[3].items_out, 20U);
  });
}

TEST(stream_repeat, shuffles_each_pass_anew_and_each_run_alike) {
  in_coroutine([]() -> task<> {
    const auto epochs = from(numbers(50)) | weft::shuffle(50, 7) | weft::repeat(2);
    auto first = co_await (epochs | weft::collect());
    auto second = co_await (epochs | weft::collect());
    EXPECT_EQ(first, second);
    const std::vector<int> pass_one(first.begin(), first.begin() + 50);
    const std::vector<int> pass_two(first.begin() + 50, first.end());
    EXPECT_NE(pass_one, pass_two);
    EXPECT_TRUE(std::is_permutation(pass_one.begin(), pass_one.end(), pass_two.begin()));
  });
}

TEST(stream_throttle, leaves_the_stated_time_between_items) {
  in_coroutine([]() -> task<> {
    using clock = std::chrono::steady_clock;
    const auto begin = clock::now();
    std::vector<clock::time_point> left;
    auto note = [&](int) { left.push_back(clock::now()); };
    co_await (from(numbers(7)) | weft::throttle(3, 10ms) | weft::for_each(note));
    EXPECT_EQ(left.size(), 7U);
    EXPECT_GE(left[3] - begin, 10ms);
    EXPECT_GE(left[6] - begin, 20ms);
  });
}

TEST(stream_batch_within, a_full_batch_does_not_wait) {
  in_coroutine([]() -> task<> {
    auto out = co_await (from(numbers(7)) | weft::batch_within(3, 1h) | weft::collect());
    EXPECT_EQ(out, (std::vector<std::vector<int>>{{0, 1, 2}, {3, 4, 5}, {6}}));
  });
}

TEST(stream_batch_within, gives_out_what_there_is_after_the_delay) {
  in_coroutine([]() -> task<> {
    weft::queue<int> items(8);
    co_await items.push(1);
    co_await items.push(2);
    auto body = [&](auto& batches) -> task<> {
      // Nobody closes the queue: only the delay can end a batch, between the two if it is over already.
      std::vector<int> seen;
      while (seen.size() < 2) {
        auto some = co_await batches.next();
        EXPECT_FALSE(some->empty());
        seen.insert(seen.end(), some->begin(), some->end());
      }
      EXPECT_EQ(seen, (std::vector<int>{1, 2}));
      co_await items.push(3);
      auto second = co_await batches.next();
      EXPECT_EQ(*second, (std::vector<int>{3}));
      items.close();
      auto end = co_await batches.next();
      EXPECT_FALSE(end.has_value());
    };
    co_await (from(items) | weft::batch_within(100, 2ms) | weft::pull(body));
  });
}

}  // namespace stream_stages_test
