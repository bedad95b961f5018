#include <gtest/gtest.h>
#include <weft/data/loader.hpp>
#include <weft/data/records.hpp>

#include <cmath>   // for std::nan
#include <vector>  // for std::vector

namespace weft {
namespace records_test {

using indices = std::vector<std::int64_t>;

TEST(RecordSourceTest, BatchesAreTheRowsAndLabelsOfTheirIndices) {
  thread_pool pool(2);
  tensor<std::uint8_t, 2> values({50, 7});
  tensor<std::int32_t, 1> labels({50});
  for (std::int64_t i = 0; i < 50; ++i) {
    for (std::int64_t k = 0; k < 7; ++k) values(i, k) = static_cast<std::uint8_t>(3 * i + k);
    labels(i) = static_cast<std::int32_t>(i * i);
  }
  loader all(pool, record_source<std::uint8_t>(values.view(), labels.view()),
             {.batch_size = 8, .shuffle = true, .seed = 3, .epochs = 2});
  std::int64_t seen = 0;
  for (auto& batch : all) {
    ASSERT_EQ(batch->size(), batch.size());
    ASSERT_EQ(batch->values.extents(), (shape<2>{batch.size(), 7}));
    for (std::int64_t row = 0; row < batch.size(); ++row, ++seen) {
      const std::int64_t index = batch.indices()[static_cast<std::size_t>(row)];
      EXPECT_EQ(batch->labels(row), index * index);
      for (std::int64_t k = 0; k < 7; ++k) ASSERT_EQ(batch->values(row, k), values(index, k));
    }
  }
  EXPECT_EQ(seen, 100);
  EXPECT_EQ(all.stats().bytes, 700);
}

TEST(RecordSourceTest, NeedsALabelARecord) {
  const tensor<float, 2> values({3, 2});
  const tensor<std::int32_t, 1> labels({2});
  EXPECT_THROW(record_source<float>(values.view(), labels.view()), shape_error);
}

TEST(RecordSourceTest, KeepsRows) {
  const tensor<float, 2> values({4, 2}, std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7});
  const tensor<std::int32_t, 1> labels({4}, std::vector<std::int32_t>{0, 1, 2, 3});
  const record_source<float> source(values.view(), labels.view());
  record_batch<float> batch = {values, labels};
  source.keep(batch, indices{1, 3});
  EXPECT_EQ(batch.values.extents(), (shape<2>{2, 2}));
  EXPECT_EQ(batch.values(1, 0), 6.0F);
  EXPECT_EQ(batch.labels(0), 1);
}

TEST(ImageSetSourceTest, MakesTheBatchesOfCollate) {
  image_set set;
  set.count = 20;
  set.rows = set.cols = 3;
  set.classes = 20;
  for (int i = 0; i < 180; ++i) set.pixels.push_back(static_cast<std::uint8_t>(i));
  for (int i = 0; i < 20; ++i) set.labels.push_back(static_cast<std::uint8_t>(i));
  const normalize scale = {.mean = 0.3, .deviation = 0.2};
  thread_pool pool(2);
  loader all(pool, image_set_source(set, scale), {.batch_size = 6, .shuffle = true, .seed = 1});
  for (auto& batch : all) {
    for (std::int64_t row = 0; row < batch.size(); ++row) {
      const std::int64_t index = batch.indices()[static_cast<std::size_t>(row)];
      EXPECT_EQ(batch->labels(row), index);
      for (std::int64_t k = 0; k < 9; ++k) {
        EXPECT_NEAR(batch->images(row, k), (static_cast<double>(9 * index + k) / 255.0 - 0.3) / 0.2, 1e-5);
      }
    }
  }
  EXPECT_EQ(all.stats().samples, 20);
  EXPECT_THROW(image_set_source(set, {.mean = 0.0, .deviation = 0.0}), invalid_argument);
  EXPECT_THROW(image_set_source(set, {.mean = std::nan(""), .deviation = 1.0}), invalid_argument);
}

}  // namespace records_test
}  // namespace weft
