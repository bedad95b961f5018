#include <gtest/gtest.h>
#include <weft/data/padded.hpp>

#include <cstdint>  // for std::int64_t
#include <string>   // for std::string
#include <vector>   // for std::vector

namespace weft {
namespace padded_test {

/// Sample i has i elements, all i.
struct stairs {
  std::int64_t count;

  std::int64_t size() const { return count; }
  std::vector<int> load(std::int64_t index) const {
    return std::vector<int>(static_cast<std::size_t>(index), static_cast<int>(index));
  }
};

std::vector<int> row(const padded_batch<int>& batch, std::int64_t index) {
  const auto values = batch.values[index];
  return {values.begin(), values.end()};
}

TEST(PaddedTest, ToTheLongestOfEachBatch) {
  thread_pool pool(2);
  loader all(pool, padded_source(stairs{5}, {.value = -1}), {.batch_size = 2, .epochs = 2});
  for (int epoch = 0; epoch < 2; ++epoch) {
    auto batch = all.next_wait();
    EXPECT_EQ((*batch)->values.extents(), (shape<2>{2, 1}));
    EXPECT_EQ(row(**batch, 0), (std::vector<int>{-1}));
    batch = all.next_wait();
    EXPECT_EQ((*batch)->size(), 2);
    EXPECT_EQ(row(**batch, 0), (std::vector<int>{2, 2, -1}));
    EXPECT_EQ(row(**batch, 1), (std::vector<int>{3, 3, 3}));
    EXPECT_EQ((*batch)->lengths(0), 2);
    EXPECT_EQ((*batch)->lengths(1), 3);
    batch = all.next_wait();
    EXPECT_EQ((*batch)->values.extents(), (shape<2>{1, 4}));
  }
}

TEST(PaddedTest, ToAMultipleOrAFixedLength) {
  thread_pool pool(1);
  loader multiples(pool, padded_source(stairs{6}, {.multiple = 4}), {.batch_size = 3});
  EXPECT_EQ((*multiples.next_wait())->values.extents(), (shape<2>{3, 4}));
  EXPECT_EQ((*multiples.next_wait())->values.extents(), (shape<2>{3, 8}));

  // Longer samples are bad ones: 4 is skipped.
  loader fixed(pool, padded_source(stairs{5}, {.value = 9, .length = 3}),
               {.batch_size = 5, .on_error = bad_sample::skip});
  const auto batch = fixed.next_wait();
  ASSERT_EQ((*batch)->values.extents(), (shape<2>{4, 3}));
  EXPECT_EQ(batch->indices(), (std::vector<std::int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(row(**batch, 0), (std::vector<int>{9, 9, 9}));
  EXPECT_EQ(row(**batch, 3), (std::vector<int>{3, 3, 3}));
  ASSERT_EQ(fixed.stats().errors, 1);
  EXPECT_NE(fixed.failures()[0].reason.find("a length of 4, rows one of 3"), std::string::npos)
      << fixed.failures()[0].reason;

  EXPECT_THROW(padded_source(stairs{1}, {.length = -1}), invalid_argument);
  EXPECT_THROW(padded_source(stairs{1}, {.multiple = 0}), invalid_argument);
}

TEST(PaddedTest, WithLengthsBatchesNeedHardlyAnyPadding) {
  thread_pool pool(2);
  std::vector<std::int64_t> lengths(64);
  for (std::size_t i = 0; i < lengths.size(); ++i) lengths[i] = static_cast<std::int64_t>(i);
  loader all(pool, padded_source(stairs{64}),
             {.batch_size = 4, .shuffle = true, .lengths = lengths, .seed = 3});
  std::int64_t seen = 0;
  for (auto& batch : all) {
    seen += batch.size();
    for (const std::int64_t length : batch->lengths.elements()) {
      EXPECT_GE(length, batch->values.extent(1) - 3);
    }
  }
  EXPECT_EQ(seen, 64);
}

TEST(PaddedTest, EmptyParts) {
  thread_pool pool(1);
  loader all(pool, padded_source(stairs{1}), {.batch_size = 2, .rank = 0, .world = 2});
  const auto batch = all.next_wait();
  EXPECT_EQ((*batch)->values.extents(), (shape<2>{0, 0}));
}

}  // namespace padded_test
}  // namespace weft
