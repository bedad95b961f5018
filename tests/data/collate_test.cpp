#include <gtest/gtest.h>
#include <weft/core/error.hpp>
#include <weft/data/collate.hpp>

#include <cmath>   // for std::sqrt
#include <limits>  // for std::numeric_limits

namespace weft {
namespace collate_test {

image_set small_set() {
  return {.count = 3,
          .rows = 1,
          .cols = 2,
          .channels = 1,
          .classes = 10,
          .pixels = {0, 255, 51, 102, 204, 153},
          .labels = {7, 0, 9}};
}

TEST(CollateTest, StacksSamplesInTheOrderAsked) {
  const std::vector<std::int64_t> indices = {2, 0, 2};
  const image_batch batch = collate(small_set(), indices, {});
  EXPECT_EQ(batch.size(), 3);
  EXPECT_EQ(batch.images.extents(), (shape<2>{3, 2}));
  const float expected[3][2] = {{0.8F, 0.6F}, {0.0F, 1.0F}, {0.8F, 0.6F}};
  for (std::int64_t row = 0; row < 3; ++row) {
    for (std::int64_t col = 0; col < 2; ++col) EXPECT_FLOAT_EQ(batch.images(row, col), expected[row][col]);
  }
  EXPECT_EQ(batch.labels(0), 9);
  EXPECT_EQ(batch.labels(1), 7);
  EXPECT_EQ(batch.labels(2), 9);
}

TEST(CollateTest, NormalisesEveryPixelValue) {
  image_set set = {
      .count = 1, .rows = 16, .cols = 16, .channels = 1, .classes = 1, .pixels = {}, .labels = {0}};
  for (int value = 0; value < 256; ++value) set.pixels.push_back(static_cast<std::uint8_t>(value));
  const std::vector<std::int64_t> indices = {0};
  const image_batch batch = collate(set, indices, {.mean = 0.2860, .deviation = 0.3530});
  for (int value = 0; value < 256; ++value) {
    EXPECT_NEAR(batch.images(0, value), (value / 255.0 - 0.2860) / 0.3530, 1e-6) << value;
  }
}

TEST(CollateTest, MeasuredNormalizationGivesMeanZeroAndDeviationOne) {
  const image_set set = small_set();
  const normalize scale = measure_normalization(set);
  EXPECT_DOUBLE_EQ(scale.mean, 0.5);
  const std::vector<std::int64_t> indices = {0, 1, 2};
  const image_batch batch = collate(set, indices, scale);
  double sum = 0.0;
  double squares = 0.0;
  for (const float value : batch.images.elements()) {
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  EXPECT_NEAR(sum, 0.0, 1e-6);
  EXPECT_NEAR(squares / 6.0, 1.0, 1e-6);
}

TEST(CollateTest, FlatOrEmptySetHasDeviationOne) {
  image_set set = small_set();
  set.pixels.assign(6, 51);
  EXPECT_DOUBLE_EQ(measure_normalization(set).mean, 0.2);
  EXPECT_DOUBLE_EQ(measure_normalization(set).deviation, 1.0);
  EXPECT_DOUBLE_EQ(measure_normalization(image_set{}).deviation, 1.0);
}

TEST(CollateTest, ReusesTheMemoryOfABatchOfTheSameShape) {
  const image_set set = small_set();
  const std::vector<std::int64_t> first = {0, 1};
  const std::vector<std::int64_t> second = {2, 1};
  const std::vector<std::int64_t> shorter = {0};
  image_batch batch = collate(set, first, {});
  const float* const memory = batch.images.data();
  collate_into(set, second, {}, batch);
  EXPECT_EQ(batch.images.data(), memory);
  EXPECT_FLOAT_EQ(batch.images(0, 0), 0.8F);
  EXPECT_EQ(batch.labels(0), 9);
  collate_into(set, shorter, {}, batch);
  EXPECT_EQ(batch.images.extents(), (shape<2>{1, 2}));
  EXPECT_EQ(batch.size(), 1);
}

TEST(CollateTest, EmptyBatch) {
  const image_batch batch = collate(small_set(), {}, {});
  EXPECT_EQ(batch.size(), 0);
  EXPECT_EQ(batch.images.extents(), (shape<2>{0, 2}));
}

TEST(CollateTest, BadArgumentsAreRefused) {
  const image_set set = small_set();
  for (const std::int64_t index : {std::int64_t{-1}, std::int64_t{3}}) {
    const std::vector<std::int64_t> indices = {0, index};
    EXPECT_THROW(collate(set, indices, {}), invalid_argument);
  }
  const std::vector<std::int64_t> indices = {0};
  EXPECT_THROW(collate(set, indices, {.deviation = 0.0}), invalid_argument);
  EXPECT_THROW(collate(set, indices, {.deviation = std::numeric_limits<double>::quiet_NaN()}),
               invalid_argument);
}

TEST(OneHotTest, PutsAOneInTheColumnOfEachLabel) {
  const std::vector<std::int32_t> labels = {2, 0, 2};
  const auto rows = one_hot({labels.data(), {3}}, 3);
  ASSERT_EQ(rows.extents(), (shape<2>{3, 3}));
  const auto values = rows.elements();
  EXPECT_EQ(std::vector<float>(values.begin(), values.end()),
            (std::vector<float>{0, 0, 1, 1, 0, 0, 0, 0, 1}));
  EXPECT_EQ(one_hot({}, 4).extents(), (shape<2>{0, 4}));
  EXPECT_THROW(one_hot({labels.data(), {3}}, 2), invalid_argument);
  EXPECT_THROW(one_hot({labels.data(), {3}}, 0), invalid_argument);
  const std::int32_t negative = -1;
  EXPECT_THROW(one_hot({&negative, {1}}, 2), invalid_argument);
}

}  // namespace collate_test
}  // namespace weft
