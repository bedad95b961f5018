#include <weft/async/stream.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "async/stream_fixtures.hpp"

namespace stream_from_test {

using weft::from;
using weft::task;
using weft_test::counter_source;
using weft_test::in_coroutine;
using weft_test::numbers;
using weft_test::yield;

TEST(stream_from, a_range_by_reference_copies_its_elements) {
  std::vector<std::string> words{"warp", "weft"};
  in_coroutine([&]() -> task<> {
    std::vector<std::string> out = co_await (from(words) | weft::collect());
    EXPECT_EQ(out, words);
  });
  EXPECT_EQ(words[0], "warp");
}

TEST(stream_from, an_owned_container_gives_up_its_elements) {
  in_coroutine([]() -> task<> {
    std::vector<std::unique_ptr<int>> items;
    for (int i = 0; i < 3; ++i) items.push_back(std::make_unique<int>(i));
    auto out = co_await (from(std::move(items)) | weft::collect());
    EXPECT_EQ(out.size(), 3U);
    EXPECT_EQ(*out[2], 2);
  });
}

TEST(stream_from, a_view_does_not_give_up_what_it_does_not_own) {
  std::vector<std::string> words{"a long string that would be moved from",
                                 "another one of that sort, also long"};
  in_coroutine([&]() -> task<> {
    auto out = co_await (from(std::span<std::string>(words)) | weft::collect());
    EXPECT_EQ(out, words);
  });
  EXPECT_FALSE(words[0].empty());
}

TEST(stream_from, a_queue_until_it_is_closed_and_drained) {
  in_coroutine([]() -> task<> {
    weft::queue<int> items(8);
    for (int i = 0; i < 5; ++i) co_await items.push(i);
    items.close();
    auto out = co_await (from(items) | weft::collect());
    EXPECT_EQ(out, numbers(5));
  });
}

TEST(stream_from, anything_with_next) {
  in_coroutine([]() -> task<> {
    int asked = 0;
    auto out = co_await (from(counter_source(asked)) | weft::take(4) | weft::collect());
    EXPECT_EQ(out, numbers(4));
    EXPECT_EQ(asked, 4) << "take() must not ask for more than it lets through";
    counter_source kept(asked);
    co_await (from(kept) | weft::take(2) | weft::collect());
    EXPECT_EQ(asked, 6);
  });
}

TEST(stream_from, an_empty_range_is_an_empty_stream) {
  in_coroutine([]() -> task<> {
    const std::vector<int> none;
    auto out = co_await (from(none) | weft::map([](int i) { return i; }) | weft::batch(3) | weft::collect());
    EXPECT_TRUE(out.empty());
  });
}

TEST(stream_generator, is_called_on_demand) {
  in_coroutine([]() -> task<> {
    int produced = 0;
    auto squares = [&](weft::emitter<int>& out) -> task<> {
      for (int i = 0; i < 1000; ++i) {
        ++produced;
        co_await out.emit(i * i);
      }
    };
    auto out = co_await (weft::from_generator<int>(squares) | weft::take(4) | weft::collect());
    EXPECT_EQ(out, (std::vector<int>{0, 1, 4, 9}));
    EXPECT_EQ(produced, 4) << "it waits in emit() until the next item is asked for";
    produced = 990;
    auto few = [&](weft::emitter<int>& items) -> task<> {
      while (produced < 1000) co_await items.emit(produced++);
    };
    auto rest = co_await (weft::from_generator<int>(few) | weft::collect());
    EXPECT_EQ(rest.size(), 10U);
  });
}

TEST(stream_generator, cleans_up_when_the_pipeline_ends_early) {
  in_coroutine([]() -> task<> {
    bool cleaned = false;
    auto body = [&](weft::emitter<int>& out) -> task<> {
      const std::unique_ptr<bool, void (*)(bool*)> at_exit(&cleaned, [](bool* flag) { *flag = true; });
      for (int i = 0;; ++i) co_await out.emit(i);
    };
    co_await (weft::from_generator<int>(body) | weft::take(2) | weft::collect());
    EXPECT_TRUE(cleaned);
  });
}

TEST(stream_callbacks, give_what_other_threads_push) {
  in_coroutine([]() -> task<> {
    bool subscribed = false;
    const auto subscribe = [&](weft::callback_target<int> out) {
      subscribed = true;
      return std::jthread([out] {
        for (int i = 0; i < 1000; ++i) EXPECT_TRUE(out.push_wait(i));
        out.close();
      });
    };
    auto line = weft::from_callbacks<int>(4, subscribe) | weft::collect();
    co_await yield(3);
    EXPECT_FALSE(subscribed);
    auto out = co_await std::move(line);
    EXPECT_EQ(out, numbers(1000));
  });
}

TEST(stream_callbacks, push_drops_what_does_not_fit) {
  in_coroutine([]() -> task<> {
    int kept = 0;
    const auto subscribe = [&](weft::callback_target<int> out) {
      for (int i = 0; i < 10; ++i) kept += out.push(i) ? 1 : 0;
      out.close();
    };
    auto out = co_await (weft::from_callbacks<int>(4, subscribe) | weft::collect());
    EXPECT_EQ(kept, 4);
    EXPECT_EQ(out, numbers(4));
  });
}

TEST(stream_callbacks, an_end_of_the_pipeline_ends_the_subscription) {
  in_coroutine([]() -> task<> {
    std::optional<weft::callback_target<int>> late;
    // Blocked in push_wait() when the pipeline ends, as a feed's thread may be.
    const auto subscribe = [&](weft::callback_target<int> out) {
      late.emplace(out);
      return std::jthread([out] {
        for (int i = 0; out.push_wait(i); ++i) {
        }
      });
    };
    auto out = co_await (weft::from_callbacks<int>(2, subscribe) | weft::take(5) | weft::collect());
    EXPECT_EQ(out, numbers(5));
    EXPECT_FALSE(late->push(1)) << "a late callback is refused, and harmless";
  });
}

TEST(stream_callbacks, may_fail) {
  in_coroutine([]() -> task<> {
    const auto subscribe = [](weft::callback_target<int> out) {
      out.push(0);
      out.fail(std::make_exception_ptr(std::runtime_error("connection lost")));
    };
    std::vector<int> seen;
    const auto note = weft::for_each([&](int i) { seen.push_back(i); });
    bool failed = false;
    try {
      co_await (weft::from_callbacks<int>(4, subscribe) | weft::named("feed") | note);
    } catch (const weft::stage_error& error) {
      failed = error.stage() == "feed" && error.caused_by<std::runtime_error>();
    }
    EXPECT_TRUE(failed);
    EXPECT_EQ(seen, numbers(1));
  });
}

}  // namespace stream_from_test
