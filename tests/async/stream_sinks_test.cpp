#include <weft/async/stream.hpp>

#include <weft/async/gather.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "async/stream_fixtures.hpp"

namespace stream_sinks_test {

using weft::from;
using weft::task;
using weft_test::counter_source;
using weft_test::in_coroutine;
using weft_test::numbers;
using weft_test::yield;

TEST(stream_for_each, awaits_a_coroutine_function) {
  in_coroutine([]() -> task<> {
    std::vector<int> seen;
    auto step = [&](int i) -> task<> {
      co_await yield();
      seen.push_back(i);
    };
    co_await (from(numbers(5)) | weft::for_each(step));
    EXPECT_EQ(seen, numbers(5));
  });
}

TEST(stream_reduce, folds_from_the_left) {
  in_coroutine([]() -> task<> {
    auto join = [](std::string text, int i) { return text + std::to_string(i); };
    auto text = co_await (from(numbers(4)) | weft::reduce(std::string("="), join));
    EXPECT_EQ(text, "=0123");
  });
}

TEST(stream_into, closes_the_queue_at_the_end) {
  in_coroutine([]() -> task<> {
    weft::queue<int> out(2);
    std::vector<int> seen;
    std::size_t pushed = 0;
    auto produce = [&]() -> task<> { pushed = co_await (from(numbers(9)) | weft::into(out)); };
    auto consume = [&]() -> task<> {
      while (auto item = co_await out.pop()) seen.push_back(*item);
    };
    co_await weft::gather(produce(), consume());
    EXPECT_EQ(pushed, 9U);
    EXPECT_EQ(seen, numbers(9));
    EXPECT_TRUE(out.closed());
  });
}

TEST(stream_into, leaves_the_queue_open_if_asked) {
  in_coroutine([]() -> task<> {
    weft::queue<int> out(8);
    const weft::into_options stay_open{.close = false};
    co_await (from(numbers(3)) | weft::into(out, stay_open));
    co_await (from(numbers(3)) | weft::into(out, stay_open));
    EXPECT_FALSE(out.closed());
    EXPECT_EQ(out.size(), 6U);
  });
}

TEST(stream_into, stops_when_the_reader_closes_the_queue) {
  in_coroutine([]() -> task<> {
    int asked = 0;
    weft::queue<int> out(2);
    std::size_t pushed = 0;
    auto produce = [&]() -> task<> {
      pushed = co_await (from(counter_source(asked)) | weft::prefetch(2) | weft::into(out));
    };
    auto consume = [&]() -> task<> {
      for (int i = 0; i < 3; ++i) co_await out.pop();
      out.close_and_discard();
    };
    co_await weft::gather(produce(), consume());
    EXPECT_GE(pushed, 3U);
    EXPECT_LE(pushed, 5U);
  });
}

TEST(stream_into, closes_the_queue_when_a_stage_fails) {
  in_coroutine([]() -> task<> {
    weft::queue<int> out(8);
    auto fail = [](int i) {
      if (i == 2) throw std::runtime_error("broken");
      return i;
    };
    bool failed = false;
    try {
      co_await (from(numbers(5)) | weft::map(fail) | weft::into(out));
    } catch (const weft::stage_error&) {
      failed = true;
    }
    EXPECT_TRUE(failed);
    EXPECT_TRUE(out.closed());
    EXPECT_EQ(out.size(), 2U);
  });
}

TEST(stream_pull, stops_the_pipeline_when_the_body_returns) {
  in_coroutine([]() -> task<> {
    int asked = 0;
    auto body = [](auto& items) -> task<> {
      const auto first = co_await items.next();
      EXPECT_EQ(first, 0);
    };
    co_await (from(counter_source(asked)) | weft::prefetch(3) | weft::pull(body));
    const int after = asked;
    co_await yield(20);
    EXPECT_EQ(asked, after) << "no stage may run after the pipeline has ended";
  });
}

}  // namespace stream_sinks_test
