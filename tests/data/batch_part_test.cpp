#include <gtest/gtest.h>
#include <weft/async/run.hpp>
#include <weft/async/stream/from.hpp>
#include <weft/async/stream/sinks.hpp>
#include <weft/core/error.hpp>
#include <weft/data/batch_part.hpp>

#include <algorithm>  // for std::max, std::min

namespace weft {
namespace {

/// A source that a user writes in a few lines, of samples without end or size.
struct counter {
  int last;
  int at = 0;

  task<std::optional<int>> next() {
    std::optional<int> sample;
    if (at < last) sample = at++;
    co_return sample;
  }
};

std::vector<std::vector<int>> batches(int samples, batch_part_options options) {
  std::vector<std::vector<int>> all;
  const auto read = [&]() -> task<void> {
    all = co_await (from(counter{samples}) | batch_part(options) | collect());
  };
  run(read());
  return all;
}

// For any number of samples, ranks and batches passed over: together, what one process has.
TEST(BatchPartTest, RanksTogetherHaveEverySampleOnceAndGoOnAnywhere) {
  constexpr std::int64_t batch_size = 5;
  for (const int samples : {0, 1, 4, 5, 6, 13, 20}) {
    for (const bool drop_last : {false, true}) {
      for (std::int64_t next = 0; next < 5; ++next) {
        const int batch_count = (samples + (drop_last ? 0 : 4)) / 5;
        for (std::int64_t world = 1; world <= batch_size; ++world) {
          std::vector<std::vector<std::vector<int>>> parts;
          for (std::int64_t rank = 0; rank < world; ++rank) {
            parts.push_back(batches(samples, {.batch_size = batch_size,
                                              .rank = rank,
                                              .world = world,
                                              .drop_last = drop_last,
                                              .next = next}));
            ASSERT_EQ(static_cast<std::int64_t>(parts.back().size()),
                      std::max<std::int64_t>(batch_count - next, 0))
                << "every rank has as many";
          }
          int expected = static_cast<int>(next * batch_size);
          for (std::size_t batch = 0; batch < parts[0].size(); ++batch) {
            std::size_t least = batch_size;
            std::size_t most = 0;
            for (const auto& part : parts) {
              for (const int sample : part[batch]) ASSERT_EQ(sample, expected++);
              least = std::min(least, part[batch].size());
              most = std::max(most, part[batch].size());
            }
            ASSERT_LE(most - least, 1U);
          }
          if (!parts[0].empty()) {
            ASSERT_EQ(expected, std::min(samples, 5 * batch_count));
          }
        }
      }
    }
  }
}

TEST(BatchPartTest, OptionsThatCannotWork) {
  EXPECT_THROW(batch_part({.batch_size = 0}), invalid_argument);
  EXPECT_THROW(batch_part({.batch_size = 4, .world = 5}), invalid_argument);
  EXPECT_THROW(batch_part({.world = 0}), invalid_argument);
  EXPECT_THROW(batch_part({.rank = 2, .world = 2}), invalid_argument);
  EXPECT_THROW(batch_part({.rank = -1}), invalid_argument);
  EXPECT_THROW(batch_part({.next = -1}), invalid_argument);
}

}  // namespace
}  // namespace weft
