#include <weft/async/stream.hpp>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "async/stream_fixtures.hpp"

namespace stream_property_test {

using weft::from;
using weft::task;
using weft_test::in_coroutine;
using weft_test::yield;

template <class Line>
auto result_of(Line line) {
  return weft::run<typename Line::value_type>(std::move(line));
}

std::size_t small() {
  return *rc::gen::inRange<std::size_t>(1, 20);
}

RC_GTEST_PROP(stream_property, shuffle_is_a_permutation_within_its_buffer, (std::uint64_t seed)) {
  const int count = *rc::gen::inRange(0, 300);
  const std::size_t buffer = small() * small();
  const auto out = result_of(from(weft_test::numbers(count)) | weft::shuffle(buffer, seed) | weft::collect());
  RC_ASSERT(out.size() == static_cast<std::size_t>(count));
  RC_ASSERT(std::is_permutation(out.begin(), out.end(), weft_test::numbers(count).begin()));
  // When the item at position p is drawn, the first p + buffer items at most have been read.
  for (std::size_t position = 0; position < out.size(); ++position)
    RC_ASSERT(static_cast<std::size_t>(out[position]) < position + buffer);
}

RC_GTEST_PROP(stream_property, shuffle_depends_on_nothing_but_seed_and_items, (std::uint64_t seed)) {
  const auto source = from(weft_test::numbers(100));
  const std::size_t buffer = small() + 10;
  const auto out = result_of(source | weft::shuffle(buffer, seed) | weft::collect());
  const auto again = result_of(source | weft::prefetch(small()) | weft::shuffle(buffer, seed) |
                               weft::prefetch(small()) | weft::collect());
  RC_ASSERT(out == again);
  const auto other = result_of(source | weft::shuffle(buffer, seed + 1) | weft::collect());
  RC_ASSERT(out != other);
}

RC_GTEST_PROP(stream_property, batch_cuts_the_stream_into_equal_pieces, (const std::vector<int>& items)) {
  const std::size_t size = small();
  const bool drop = *rc::gen::arbitrary<bool>();
  const weft::batch_options options{.drop_last = drop};
  const auto out = result_of(from(items) | weft::batch(size, options) | weft::collect());
  std::vector<int> joined;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (drop || i + 1 < out.size()) RC_ASSERT(out[i].size() == size);
    RC_ASSERT(!out[i].empty() && out[i].size() <= size);
    joined.insert(joined.end(), out[i].begin(), out[i].end());
  }
  const std::size_t expected = drop ? items.size() / size * size : items.size();
  RC_ASSERT(joined == std::vector<int>(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(expected)));
}

RC_GTEST_PROP(stream_property, ordered_map_keeps_the_order_whatever_each_item_takes,
              (const std::vector<std::uint8_t>& delays)) {
  const int width = static_cast<int>(small());
  const std::size_t buffer = static_cast<std::size_t>(width) + small() - 1;
  int inside = 0;
  int most = 0;
  const auto work = [&](std::uint8_t delay) -> task<int> {
    most = std::max(most, ++inside);
    co_await yield(delay % 8);
    --inside;
    co_return delay + 1;
  };
  const weft::map_options options{.concurrency = width, .order = weft::ordered, .buffer = buffer};
  const auto out = result_of(from(delays) | weft::map(work, options) | weft::collect());
  RC_ASSERT(out.size() == delays.size());
  for (std::size_t i = 0; i < out.size(); ++i) RC_ASSERT(out[i] == delays[i] + 1);
  RC_ASSERT(most <= width);
}

RC_GTEST_PROP(stream_property, a_map_as_ready_loses_and_doubles_nothing,
              (const std::vector<std::uint8_t>& delays)) {
  const auto work = [](std::uint8_t delay) -> task<int> {
    co_await yield(delay % 8);
    co_return delay;
  };
  const weft::map_options options{.concurrency = static_cast<int>(small()), .order = weft::as_ready};
  auto out = result_of(from(delays) | weft::map(work, options) | weft::collect());
  std::vector<int> expected(delays.begin(), delays.end());
  std::sort(out.begin(), out.end());
  std::sort(expected.begin(), expected.end());
  RC_ASSERT(out == expected);
}

RC_GTEST_PROP(stream_property, interleave_takes_turns, (const std::vector<std::vector<int>>& parts)) {
  const std::size_t width = small();
  const auto out = result_of(from(parts) | weft::interleave(width) | weft::collect());
  // The model: `width` places, each with a part and how much of it is gone.
  std::vector<int> expected;
  std::vector<std::pair<std::size_t, std::size_t>> places(width, {parts.size(), 0});
  std::size_t opened = 0;
  std::size_t total = 0;
  for (const auto& part : parts) total += part.size();
  for (std::size_t turn = 0; expected.size() < total; turn = (turn + 1) % width) {
    auto& [part, gone] = places[turn];
    while (opened < parts.size() && (part == parts.size() || gone == parts[part].size())) {
      part = opened++;
      gone = 0;
    }
    if (part < parts.size() && gone < parts[part].size()) expected.push_back(parts[part][gone++]);
  }
  RC_ASSERT(out == expected);
}

RC_GTEST_PROP(stream_property, read_ahead_changes_nothing, (const std::vector<int>& items)) {
  const auto plain = from(items) | weft::filter([](int i) { return i % 3 != 0; });
  const auto ahead = from(items) | weft::prefetch(small()) | weft::filter([](int i) { return i % 3 != 0; }) |
                     weft::prefetch(small());
  const auto inner = [](int i) { return from(std::vector<int>(3, i)) | weft::prefetch(2); };
  RC_ASSERT(result_of(plain | weft::collect()) == result_of(ahead | weft::collect()));
  RC_ASSERT(result_of(plain | weft::flat_map([](int i) { return std::vector<int>(3, i); }) |
                      weft::collect()) == result_of(ahead | weft::flat_map(inner) | weft::collect()));
}

}  // namespace stream_property_test
