#include <weft/async/stream.hpp>

#include <weft/async/gather.hpp>
#include <weft/async/queue.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "async/stream_fixtures.hpp"

namespace stream_map_test {

using weft::as_ready;
using weft::from;
using weft::map_options;
using weft::ordered;
using weft::task;
using weft_test::in_coroutine;
using weft_test::numbers;
using weft_test::plain_pool;
using weft_test::tracked;
using weft_test::yield;

std::vector<int> sorted(std::vector<int> values) {
  std::sort(values.begin(), values.end());
  return values;
}

/// Counts who is inside, and the most that ever were.
class visitors {
 public:
  void enter() {
    const int now = inside_.fetch_add(1) + 1;
    int most = most_.load();
    while (now > most && !most_.compare_exchange_weak(most, now)) {
    }
  }
  void leave() { inside_.fetch_sub(1); }
  int most() const { return most_.load(); }
  int inside() const { return inside_.load(); }

 private:
  std::atomic<int> inside_{0};
  std::atomic<int> most_{0};
};

TEST(stream_map, a_plain_function_and_a_coroutine_function) {
  in_coroutine([]() -> task<> {
    const auto twice = [](int i) { return 2 * i; };
    const auto later = [](int i) -> task<int> {
      co_await yield();
      co_return i + 1;
    };
    auto out = co_await (from(numbers(4)) | weft::map(twice) | weft::map(later) | weft::collect());
    EXPECT_EQ(out, (std::vector<int>{1, 3, 5, 7}));
  });
}

TEST(stream_map, moves_items_that_cannot_be_copied) {
  plain_pool pool(2);
  in_coroutine([&]() -> task<> {
    const auto make = [](int i) { return std::make_unique<int>(i); };
    const auto add = [](std::unique_ptr<int> i) { return std::make_unique<int>(*i + 1); };
    const auto later = [](std::unique_ptr<int> i) -> task<std::unique_ptr<int>> {
      co_await yield();
      co_return i;
    };
    const auto get = [](std::unique_ptr<int> i) { return *i; };
    const map_options two{.concurrency = 2};
    auto out =
        co_await (from(numbers(50)) | weft::map(pool, make, two) | weft::map(add) | weft::map(later, two) |
                  weft::shuffle(1, 1) | weft::prefetch(3) | weft::map(get) | weft::collect());
    std::vector<int> expected;
    for (int i = 1; i <= 50; ++i) expected.push_back(i);
    EXPECT_EQ(out, expected);
  });
}

TEST(stream_map, coroutines_run_as_many_at_a_time_as_it_says) {
  in_coroutine([]() -> task<> {
    visitors inside;
    const auto visit = [&](int i) -> task<int> {
      inside.enter();
      co_await yield(1 + i % 5);
      inside.leave();
      co_return i;
    };
    const map_options in_order{.concurrency = 4, .order = ordered};
    auto out = co_await (from(numbers(100)) | weft::map(visit, in_order) | weft::collect());
    EXPECT_EQ(out, numbers(100));
    EXPECT_EQ(inside.most(), 4);
    visitors again;
    const auto visit_again = [&](int i) -> task<int> {
      again.enter();
      co_await yield(1 + i % 7);
      again.leave();
      co_return i;
    };
    const map_options unordered{.concurrency = 7, .order = as_ready};
    auto any = co_await (from(numbers(100)) | weft::map(visit_again, unordered) | weft::collect());
    EXPECT_NE(any, numbers(100));
    EXPECT_EQ(sorted(any), numbers(100));
    EXPECT_EQ(again.most(), 7);
  });
}

TEST(stream_map, on_a_pool_never_more_at_a_time_than_it_says) {
  plain_pool pool(4);
  in_coroutine([&]() -> task<> {
    visitors inside;
    const auto visit = [&](int i) {
      inside.enter();
      std::this_thread::yield();
      inside.leave();
      return i;
    };
    const map_options two{.concurrency = 2};
    auto out = co_await (from(numbers(2000)) | weft::map(pool, visit, two) | weft::collect());
    EXPECT_EQ(out, numbers(2000));
    EXPECT_LE(inside.most(), 2);
    EXPECT_EQ(inside.inside(), 0);
  });
}

TEST(stream_map, on_a_pool_really_works_on_several_at_a_time) {
  plain_pool pool(3);
  in_coroutine([&]() -> task<> {
    // Each call waits for two others to have come: with less concurrency the pipeline would never end.
    std::atomic<int> arrived{0};
    const auto meet = [&](int i) {
      const int goal = (i / 3 + 1) * 3;
      arrived.fetch_add(1);
      arrived.notify_all();
      for (int now = arrived.load(); now < goal; now = arrived.load()) arrived.wait(now);
      return i;
    };
    auto out = co_await (from(numbers(30)) | weft::map(pool, meet) | weft::collect());
    EXPECT_EQ(out, numbers(30));
  });
}

TEST(stream_map, as_ready_a_slow_coroutine_holds_back_nobody) {
  in_coroutine([]() -> task<> {
    weft::queue<int> gate(1);
    const auto work = [&](int i) -> task<int> {
      if (i == 0) co_await gate.pop();
      co_return i;
    };
    auto body = [&](auto& items) -> task<> {
      for (int i = 1; i < 1000; ++i) {
        const auto item = co_await items.next();
        EXPECT_EQ(item, i);
      }
      gate.close();
      const auto last = co_await items.next();
      EXPECT_EQ(last, 0);
      const auto end = co_await items.next();
      EXPECT_FALSE(end.has_value());
    };
    const map_options unordered{.concurrency = 2, .order = as_ready};
    co_await (from(numbers(1000)) | weft::map(work, unordered) | weft::pull(body));
  });
}

TEST(stream_map, as_ready_a_slow_call_on_the_pool_holds_back_nobody) {
  plain_pool pool(2);
  in_coroutine([&]() -> task<> {
    std::atomic<bool> go{false};
    const auto work = [&](int i) {
      if (i == 7) go.wait(false);
      return i;
    };
    std::vector<int> others;
    auto body = [&](auto& items) -> task<> {
      for (int i = 1; i < 500; ++i) {
        const auto item = co_await items.next();
        others.push_back(*item);
      }
      go = true;
      go.notify_all();
      const auto last = co_await items.next();
      EXPECT_EQ(last, 7);
      const auto end = co_await items.next();
      EXPECT_FALSE(end.has_value());
    };
    const map_options unordered{.concurrency = 2, .order = as_ready};
    co_await (from(numbers(500)) | weft::map(pool, work, unordered) | weft::pull(body));
    EXPECT_EQ(others.size(), 499U);
    EXPECT_EQ(std::count(others.begin(), others.end(), 7), 0);
  });
}

TEST(stream_map, ordered_results_that_wait_for_a_slow_one_are_bounded) {
  in_coroutine([]() -> task<> {
    weft::queue<int> gate(1);
    int begun = 0;
    const auto work = [&](int i) -> task<int> {
      ++begun;
      if (i == 0) co_await gate.pop();
      co_return i;
    };
    auto source_then_check = [&]() -> task<> {
      co_await yield(500);
      EXPECT_EQ(begun, 6) << "the slow one and those that fit in the buffer with it";
      gate.close();
    };
    const map_options six{.concurrency = 3, .order = ordered, .buffer = 6};
    std::vector<int> out;
    auto run = [&]() -> task<> {
      out = co_await (from(numbers(50)) | weft::map(work, six) | weft::collect());
    };
    co_await weft::gather(run(), source_then_check());
    EXPECT_EQ(out, numbers(50));
  });
}

TEST(stream_map, on_a_pool_ordered_results_that_wait_are_bounded) {
  plain_pool pool(2);
  in_coroutine([&]() -> task<> {
    std::atomic<bool> go{false};
    std::atomic<int> begun{0};
    const auto work = [&](int i) {
      begun.fetch_add(1);
      if (i == 0) go.wait(false);
      return i;
    };
    const map_options five{.concurrency = 2, .order = ordered, .buffer = 5};
    std::vector<int> out;
    auto run = [&]() -> task<> {
      out = co_await (from(numbers(50)) | weft::map(pool, work, five) | weft::collect());
    };
    auto check = [&]() -> task<> {
      // It reads ahead by time, so it may stop at twice the concurrency; never beyond the buffer.
      while (begun.load() < 4) co_await yield();
      co_await yield(1000);
      EXPECT_LE(begun.load(), 5);
      go = true;
      go.notify_all();
    };
    co_await weft::gather(run(), check());
    EXPECT_EQ(out, numbers(50));
  });
}

TEST(stream_memory, is_bounded_by_the_sizes_of_the_stages) {
  plain_pool pool(2);
  in_coroutine([&]() -> task<> {
    tracked::census all;
    const auto make = [&](int i) { return tracked(all, i); };
    const auto pass = [](tracked item) { return item; };
    const auto later = [](tracked item) -> task<tracked> {
      co_await yield(item.value % 3);
      co_return item;
    };
    const map_options on_pool{.concurrency = 2, .buffer = 8};
    const map_options coroutines{.concurrency = 3, .order = as_ready, .buffer = 5};
    weft::queue<std::vector<tracked>> batches(2);
    auto produce = [&]() -> task<> {
      co_await (from(numbers(3000)) | weft::map(make) | weft::prefetch(4) | weft::map(pool, pass, on_pool) |
                weft::shuffle(10, 3) | weft::map(later, coroutines) | weft::batch(6) | weft::into(batches));
    };
    std::set<int> seen;
    auto consume = [&]() -> task<> {
      while (auto batch = co_await batches.pop()) {
        co_await yield(5);
        for (const tracked& item : *batch) seen.insert(item.value);
      }
    };
    co_await weft::gather(produce(), consume());
    EXPECT_EQ(seen.size(), 3000U);
    EXPECT_EQ(all.alive.load(), 0);
    // What the stages may hold, one item in the hands of each stage between two of them, and the batches: two
    // queued, one at the consumer, one waiting to be pushed.
    const int held = 4 + 8 + 10 + 5 + 6;
    const int in_hand = 6;
    const int in_batches = 4 * 6;
    EXPECT_LE(all.most.load(), held + in_hand + in_batches);
  });
}

TEST(stream_map, two_on_one_pool_share_it) {
  plain_pool pool(1);
  in_coroutine([&]() -> task<> {
    const auto add = [](int i) { return i + 1; };
    auto out = co_await (from(numbers(500)) | weft::map(pool, add) | weft::map(pool, add) | weft::collect());
    EXPECT_EQ(out.size(), 500U);
    EXPECT_EQ(out.back(), 501);
  });
}

TEST(stream_map, counts_the_time_of_its_workers) {
  plain_pool pool(2);
  in_coroutine([&]() -> task<> {
    const auto work = [](int i) {
      const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(100);
      while (std::chrono::steady_clock::now() < until) {
      }
      return i;
    };
    auto line = from(numbers(200)) | weft::map(pool, work) | weft::named("decode") | weft::collect();
    co_await std::move(line);
    const auto stats = line.stats();
    EXPECT_EQ(stats.stages[1].name, "decode");
    EXPECT_EQ(stats.stages[1].concurrency, 2);
    EXPECT_EQ(stats.stages[1].items_in, 200U);
    EXPECT_EQ(stats.stages[1].items_out, 200U);
    EXPECT_GE(stats.stages[1].busy, std::chrono::milliseconds(20));
  });
}

}  // namespace stream_map_test
