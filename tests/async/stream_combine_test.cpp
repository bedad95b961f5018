#include <weft/async/stream.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <tuple>
#include <vector>

#include "async/stream_fixtures.hpp"

namespace stream_combine_test {

using weft::from;
using weft::task;
using weft_test::in_coroutine;
using weft_test::numbers;

bool even(int number) {
  return number % 2 == 0;
}

TEST(stream_zip, ends_with_the_shortest) {
  in_coroutine([]() -> task<> {
    const std::vector<std::string> letters{"a", "b", "c", "d"};
    auto words = from(letters) | weft::prefetch(2);
    auto evens = from(numbers(9)) | weft::filter(even);
    auto out = co_await (weft::zip(from(numbers(3)), words, evens) | weft::collect());
    EXPECT_EQ(out.size(), 3U);
    EXPECT_EQ(out[2], std::make_tuple(2, std::string("c"), 4));
  });
}

TEST(stream_merge, gives_every_item_once_and_each_stream_in_its_order) {
  in_coroutine([]() -> task<> {
    auto low = from(numbers(50));
    auto high = from(numbers(70)) | weft::map([](int i) { return 1000 + i; });
    auto out = co_await (weft::merge(low, high) | weft::collect());
    EXPECT_EQ(out.size(), 120U);
    std::vector<int> lows;
    std::vector<int> highs;
    for (int i : out) (i < 1000 ? lows : highs).push_back(i < 1000 ? i : i - 1000);
    EXPECT_EQ(lows, numbers(50));
    EXPECT_EQ(highs, numbers(70));
  });
}

TEST(stream_merge, a_stream_that_waits_holds_back_nobody) {
  in_coroutine([]() -> task<> {
    weft::queue<int> slow(4);
    auto body = [&](auto& items) -> task<> {
      for (int i = 0; i < 5; ++i) {
        const auto item = co_await items.next();
        EXPECT_EQ(item, i);
      }
      co_await slow.push(42);
      slow.close();
      const auto late = co_await items.next();
      EXPECT_EQ(late, 42);
      const auto end = co_await items.next();
      EXPECT_FALSE(end.has_value());
    };
    co_await (weft::merge(from(slow), from(numbers(5))) | weft::pull(body));
  });
}

TEST(stream_flat_map, opens_ranges_and_streams_one_after_the_other) {
  in_coroutine([]() -> task<> {
    auto out = co_await (from(numbers(4)) | weft::flat_map(numbers) | weft::collect());
    EXPECT_EQ(out, (std::vector<int>{0, 0, 1, 0, 1, 2}));
    auto inner = [](int i) {
      return from(numbers(100)) | weft::prefetch(3) | weft::take(static_cast<unsigned>(i));
    };
    auto nested = co_await (from(numbers(4)) | weft::flat_map(inner) | weft::collect());
    EXPECT_EQ(nested, out);
  });
}

TEST(stream_interleave, takes_turns_and_opens_the_next_when_one_ends) {
  in_coroutine([]() -> task<> {
    auto letters = [](int i) { return std::vector<int>(static_cast<std::size_t>(i == 0 ? 1 : 3), i); };
    auto out = co_await (from(numbers(4)) | weft::interleave(2, letters) | weft::collect());
    EXPECT_EQ(out, (std::vector<int>{0, 1, 2, 1, 2, 1, 2, 3, 3, 3}));
    auto prefetched = [&](int i) { return from(letters(i)) | weft::prefetch(2); };
    auto same = co_await (from(numbers(4)) | weft::map(prefetched) | weft::interleave(2) | weft::collect());
    EXPECT_EQ(same, out);
  });
}

}  // namespace stream_combine_test
