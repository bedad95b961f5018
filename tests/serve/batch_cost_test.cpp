#include <weft/serve/detail/batch_cost.hpp>

#include <gtest/gtest.h>

namespace batch_cost_test {

using weft::detail::batch_cost;

TEST(BatchCostTest, KnowsNothingAtFirst) {
  const batch_cost cost;
  EXPECT_EQ(cost.seconds(8), 0);
  EXPECT_EQ(cost.fixed(), 0);
}

TEST(BatchCostTest, FindsBothPartsOfALine) {
  batch_cost cost;
  for (int i = 0; i < 40; ++i) {
    const std::size_t count = 1 + static_cast<std::size_t>(i * 7 % 16);
    cost.add(count, 0.003 + 0.0005 * static_cast<double>(count));
  }
  EXPECT_NEAR(cost.fixed(), 0.003, 1e-9);
  EXPECT_NEAR(cost.seconds(32), 0.019, 1e-9);
}

TEST(BatchCostTest, OneSizeSaysNothingOfTheFixedPart) {
  batch_cost cost;
  for (int i = 0; i < 10; ++i) cost.add(4, 0.008);
  EXPECT_EQ(cost.fixed(), 0);
  EXPECT_NEAR(cost.seconds(8), 0.016, 1e-12);
}

TEST(BatchCostTest, NeitherPartIsNegative) {
  batch_cost falling;  // larger batches that took less
  falling.add(1, 0.004);
  falling.add(8, 0.001);
  EXPECT_GE(falling.seconds(100), 0);
  EXPECT_NEAR(falling.seconds(1), falling.seconds(100), 1e-12);
  batch_cost steep;  // a line that would meet the axis below zero
  steep.add(4, 0.001);
  steep.add(8, 0.010);
  EXPECT_EQ(steep.fixed(), 0);
  EXPECT_GT(steep.seconds(1), 0);
}

TEST(BatchCostTest, FollowsAModelThatChanges) {
  batch_cost cost;
  for (int i = 0; i < 200; ++i) cost.add(1 + static_cast<std::size_t>(i % 4), 0.001);
  for (int i = 0; i < 600; ++i) cost.add(1 + static_cast<std::size_t>(i % 4), 0.010);
  EXPECT_NEAR(cost.seconds(2), 0.010, 1e-6);
}

}  // namespace batch_cost_test
