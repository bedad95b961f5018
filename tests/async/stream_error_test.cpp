#include <weft/async/stream.hpp>

#include <weft/async/gather.hpp>
#include <weft/async/sleep.hpp>
#include <weft/async/task_group.hpp>
#include <weft/async/timeout.hpp>

#include <boost/asio/this_coro.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "async/stream_fixtures.hpp"

namespace stream_error_test {

using namespace std::chrono_literals;
using weft::from;
using weft::task;
using weft_test::in_coroutine;
using weft_test::numbers;
using weft_test::tracked;
using weft_test::yield;

struct decode_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

int fail_at_three(int i) {
  if (i == 3) throw decode_error("item 3 is broken");
  return i;
}

/// The stage that the pipeline's error names, and whether it carries the original.
template <class Line>
task<std::string> failing_stage(Line line) {
  std::string stage = "none";
  try {
    co_await std::move(line);
  } catch (const weft::stage_error& error) {
    stage = error.stage();
    EXPECT_TRUE(error.caused_by<decode_error>());
    EXPECT_FALSE(error.caused_by<std::logic_error>());
    EXPECT_NE(std::string(error.what()).find(stage), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("item 3 is broken"), std::string::npos);
    EXPECT_THROW(error.rethrow_cause(), decode_error);
  }
  co_return stage;
}

task<int> fail_later(int i) {
  co_await yield();
  co_return fail_at_three(i);
}

TEST(stream_error, names_the_stage_that_failed) {
  weft_test::plain_pool pool(2);
  in_coroutine([&]() -> task<> {
    const auto source = from(numbers(10));
    const auto check = [](int i) { return fail_at_three(i) == i; };
    const auto look = [](int i) { fail_at_three(i); };
    const auto add = [](int sum, int i) { return sum + fail_at_three(i); };
    const auto open = [](int i) { return numbers(fail_at_three(i)); };
    auto emit = [](weft::emitter<int>& out) -> task<> {
      for (int i = 0;; ++i) co_await out.emit(fail_at_three(i));
    };
    const auto drain = weft::collect();
    EXPECT_EQ(co_await failing_stage(source | weft::map(fail_at_three) | drain), "map");
    EXPECT_EQ(co_await failing_stage(source | weft::map(fail_later) | drain), "map");
    EXPECT_EQ(co_await failing_stage(source | weft::map(fail_at_three) | weft::named("decode") | drain),
              "decode");
    EXPECT_EQ(co_await failing_stage(source | weft::filter(check) | drain), "filter");
    EXPECT_EQ(co_await failing_stage(source | weft::tap(look) | weft::prefetch(2) | drain), "tap");
    EXPECT_EQ(co_await failing_stage(source | weft::for_each(look)), "for_each");
    EXPECT_EQ(co_await failing_stage(source | weft::for_each(look) | weft::named("train")), "train");
    EXPECT_EQ(co_await failing_stage(source | weft::prefetch(4) | weft::reduce(0, add)), "reduce");
    EXPECT_EQ(co_await failing_stage(source | weft::flat_map(open) | drain), "flat_map");
    EXPECT_EQ(co_await failing_stage(source | weft::interleave(3, open) | drain), "interleave");
    EXPECT_EQ(co_await failing_stage(weft::from_generator<int>(emit) | drain), "from generator");
    const weft::map_options two{.concurrency = 2};
    EXPECT_EQ(co_await failing_stage(source | weft::map(fail_later, two) | weft::named("fetch") | drain),
              "fetch");
    EXPECT_EQ(co_await failing_stage(source | weft::map(pool, fail_at_three, two) | drain), "map");
    const auto inner = [](int) {
      return from(numbers(5)) | weft::map(fail_at_three) | weft::named("inner") | weft::prefetch(2);
    };
    EXPECT_EQ(co_await failing_stage(source | weft::flat_map(inner) | drain), "inner");
    auto other = from(numbers(3)) | weft::map([](int i) { return i; });
    EXPECT_EQ(co_await failing_stage(
                  weft::merge(other, source | weft::map(fail_at_three) | weft::named("left")) | drain),
              "left");
    EXPECT_EQ(co_await failing_stage(weft::zip(source, source | weft::tap(look)) | drain), "tap");
    EXPECT_EQ(co_await failing_stage(source | weft::map(fail_at_three) | weft::batch_within(2, 1h) | drain),
              "map");
    EXPECT_EQ(co_await failing_stage(source | weft::map(fail_at_three) | weft::repeat(2) | drain), "map");
  });
}

TEST(stream_error, comes_out_after_the_items_before_it) {
  weft_test::plain_pool pool(2);
  in_coroutine([&]() -> task<> {
    const auto source = from(numbers(10));
    std::vector<int> seen;
    const auto note = weft::for_each([&](int i) { seen.push_back(i); });
    const weft::map_options three{.concurrency = 3};
    EXPECT_EQ(co_await failing_stage(source | weft::map(fail_at_three) | weft::prefetch(8) | note), "map");
    EXPECT_EQ(seen, numbers(3));
    seen.clear();
    EXPECT_EQ(co_await failing_stage(source | weft::map(fail_later, three) | note), "map");
    EXPECT_EQ(seen, numbers(3));
    seen.clear();
    EXPECT_EQ(co_await failing_stage(source | weft::map(pool, fail_at_three, three) | note), "map");
    EXPECT_EQ(seen, numbers(3));
  });
}

TEST(stream_error, that_nobody_gets_to_is_none) {
  weft_test::plain_pool pool(2);
  in_coroutine([&]() -> task<> {
    const auto source = from(numbers(10));
    const weft::map_options ahead{.concurrency = 2, .buffer = 8};
    auto first =
        co_await (source | weft::map(fail_at_three) | weft::prefetch(8) | weft::take(3) | weft::collect());
    EXPECT_EQ(first, numbers(3));
    auto second = co_await (source | weft::map(pool, fail_at_three, ahead) | weft::take(3) | weft::collect());
    EXPECT_EQ(second, numbers(3));
    auto third = co_await (source | weft::map(fail_later, ahead) | weft::take(3) | weft::collect());
    EXPECT_EQ(third, numbers(3));
  });
}

TEST(stream_error, leaves_nothing_behind) {
  weft_test::plain_pool pool(2);
  in_coroutine([&]() -> task<> {
    tracked::census all;
    const auto make = [&](int i) { return tracked(all, i); };
    const auto check = [](tracked item) {
      fail_at_three(item.value % 20);
      return item;
    };
    const weft::map_options two{.concurrency = 2};
    bool failed = false;
    try {
      co_await (from(numbers(1000)) | weft::map(make) | weft::prefetch(10) | weft::shuffle(30, 1) |
                weft::map(pool, check, two) | weft::prefetch(5) | weft::batch(7) | weft::collect());
    } catch (const weft::stage_error&) {
      failed = true;
    }
    EXPECT_TRUE(failed);
    EXPECT_EQ(all.alive.load(), 0);
  });
}

TEST(stream_error, something_that_is_no_exception_class_is_described) {
  in_coroutine([]() -> task<> {
    const auto odd = [](int i) {
      if (i == 1) throw 17;
      return i;
    };
    bool caught = false;
    try {
      co_await (from(numbers(3)) | weft::map(odd) | weft::collect());
    } catch (const weft::error& error) {
      caught = true;
      EXPECT_NE(std::string(error.what()).find("map"), std::string::npos);
    }
    EXPECT_TRUE(caught);
  });
}

/// Lets `line` run until everything in it waits, then cancels it; what it ended with.
template <class Line>
task<std::string> outcome_of_cancelling(Line line) {
  std::string outcome = "finished";
  auto run = [&]() -> task<> {
    try {
      co_await std::move(line);
    } catch (const weft::cancelled&) {
      outcome = "cancelled";
      throw;
    }
  };
  auto body = [&](weft::task_group& group) -> task<> {
    group.spawn([&] { return run(); });
    co_await yield(100);
    group.cancel();
  };
  try {
    co_await weft::with_task_group(body);
  } catch (const weft::cancelled&) {
  }
  co_return outcome;
}

TEST(stream_cancel, tears_down_every_stage) {
  weft_test::plain_pool pool(2);
  in_coroutine([&]() -> task<> {
    tracked::census all;
    weft::queue<int> never(4);
    const auto make = [&](int i) { return tracked(all, i); };
    const auto pass = [](tracked item) { return item; };
    const auto wait = [&](tracked item) -> task<tracked> {
      co_await never.pop();
      co_return item;
    };
    const auto open = [](int) { return from(numbers(100)) | weft::prefetch(3); };
    auto emit = [&](weft::emitter<int>& out) -> task<> {
      co_await out.emit(1);
      co_await never.pop();
    };
    const weft::map_options two{.concurrency = 2};
    const auto drain = weft::collect();
    const auto stall = weft::for_each([&](auto) -> task<> { co_await never.pop(); });
    const auto source = from(numbers(1000));
    const auto items = source | weft::map(make);
    const std::string cancelled = "cancelled";
    EXPECT_EQ(co_await outcome_of_cancelling(from(never) | drain), cancelled);
    EXPECT_EQ(co_await outcome_of_cancelling(from(never) | weft::prefetch(2) | drain), cancelled);
    EXPECT_EQ(co_await outcome_of_cancelling(items | stall), cancelled);
    EXPECT_EQ(co_await outcome_of_cancelling(items | weft::prefetch(3) | weft::batch(2) | stall), cancelled);
    EXPECT_EQ(co_await outcome_of_cancelling(items | weft::map(wait) | drain), cancelled);
    EXPECT_EQ(co_await outcome_of_cancelling(items | weft::map(wait, two) | drain), cancelled);
    EXPECT_EQ(co_await outcome_of_cancelling(items | weft::map(pool, pass, two) | stall), cancelled);
    EXPECT_EQ(co_await outcome_of_cancelling(source | weft::flat_map(open) | stall), cancelled);
    EXPECT_EQ(co_await outcome_of_cancelling(source | weft::interleave(3, open) | stall), cancelled);
    EXPECT_EQ(co_await outcome_of_cancelling(weft::merge(from(never), source) | drain), cancelled);
    EXPECT_EQ(co_await outcome_of_cancelling(weft::zip(source, from(never)) | drain), cancelled);
    EXPECT_EQ(co_await outcome_of_cancelling(from(never) | weft::batch_within(4, 1h) | drain), cancelled);
    EXPECT_EQ(co_await outcome_of_cancelling(source | weft::throttle(1, 1h) | drain), cancelled);
    EXPECT_EQ(co_await outcome_of_cancelling(source | weft::repeat() | weft::prefetch(2) | stall), cancelled);
    EXPECT_EQ(co_await outcome_of_cancelling(source | weft::prefetch(2) | weft::repeat() | stall), cancelled);
    EXPECT_EQ(co_await outcome_of_cancelling(weft::from_generator<int>(emit) | drain), cancelled);
    EXPECT_EQ(co_await outcome_of_cancelling(weft::from_callbacks<int>(2, [](auto) {}) | drain), cancelled);
    EXPECT_EQ(all.alive.load(), 0);
  });
}

TEST(stream_cancel, closes_the_queue_it_feeds) {
  in_coroutine([]() -> task<> {
    weft::queue<int> out(2);
    EXPECT_EQ(co_await outcome_of_cancelling(from(numbers(100)) | weft::prefetch(2) | weft::into(out)),
              "cancelled");
    EXPECT_TRUE(out.closed());
  });
}

TEST(stream_cancel, waits_for_calls_that_run_and_begins_no_more) {
  weft_test::plain_pool pool(2);
  in_coroutine([&]() -> task<> {
    std::atomic<int> begun{0};
    std::atomic<bool> go{false};
    std::atomic<int> ended{0};
    const auto block = [&](int i) {
      begun.fetch_add(1);
      go.wait(false);
      ended.fetch_add(1);
      return i;
    };
    const weft::map_options two{.concurrency = 2, .buffer = 16};
    auto run = [&]() -> task<> {
      co_await (from(numbers(100)) | weft::map(pool, block, two) | weft::collect());
    };
    auto body = [&](weft::task_group& group) -> task<> {
      group.spawn([&] { return run(); });
      while (begun.load() < 2) co_await yield();
      group.cancel();
      co_await boost::asio::this_coro::throw_if_cancelled(false);
      co_await yield(10);
      EXPECT_EQ(group.size(), 2U) << "the pipeline is there as long as its calls run";
      go = true;
      go.notify_all();
    };
    try {
      co_await weft::with_task_group(body);
    } catch (const weft::cancelled&) {
    }
    EXPECT_EQ(begun.load(), 2);
    EXPECT_EQ(ended.load(), 2);
  });
}

TEST(stream_cancel, by_a_timeout_is_a_timeout) {
  in_coroutine([]() -> task<> {
    weft::queue<int> never(1);
    bool late = false;
    try {
      co_await weft::timeout(from(never) | weft::prefetch(1) | weft::collect(), 1ms);
    } catch (const weft::timeout_error&) {
      late = true;
    }
    EXPECT_TRUE(late);
  });
}

TEST(stream_stop, early_joins_everything) {
  weft_test::plain_pool pool(2);
  in_coroutine([&]() -> task<> {
    tracked::census all;
    std::atomic<int> running{0};
    const auto make = [&](int i) { return tracked(all, i); };
    const auto work = [&](tracked item) {
      running.fetch_add(1);
      running.fetch_sub(1);
      return item;
    };
    const auto get = [](const tracked& item) { return item.value; };
    const weft::map_options two{.concurrency = 2};
    auto out =
        co_await (from(numbers(10000)) | weft::map(make) | weft::prefetch(10) | weft::map(pool, work, two) |
                  weft::prefetch(4) | weft::map(get) | weft::take(20) | weft::collect());
    EXPECT_EQ(out, numbers(20));
    EXPECT_EQ(all.alive.load(), 0);
    EXPECT_EQ(running.load(), 0);
  });
}

}  // namespace stream_error_test
