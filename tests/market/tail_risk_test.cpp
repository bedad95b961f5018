#include <weft/core/error.hpp>
#include <weft/core/philox.hpp>
#include <weft/market/tail_risk.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <vector>

namespace tail_risk_test {

std::vector<double> normals(std::uint64_t seed, std::int64_t count) {
  const weft::philox random(seed);
  std::vector<double> result;
  for (std::int64_t i = 0; i < count; ++i) result.push_back(random.normal(static_cast<std::uint64_t>(i)));
  return result;
}

// Of the normal distribution at 0.95; the density at the quantile, over the tail's probability.
constexpr double quantile = 1.6448536269514722;
const double shortfall = std::exp(-0.5 * quantile * quantile) / std::sqrt(2.0 * std::numbers::pi) / 0.05;

TEST(tail_risk, is_the_order_statistic_and_the_mean_beyond) {
  std::vector<double> losses;
  for (int i = 1; i <= 200; ++i) losses.push_back(static_cast<double>((i * 37) % 201));
  const auto result = weft::tail_risk(losses, {.level = 0.9});
  EXPECT_EQ(result.value_at_risk.value, 180.0);
  EXPECT_NEAR(result.expected_shortfall.value, 190.5, 1e-9);
  EXPECT_LT(result.value_at_risk.low, 180.0);
  EXPECT_GT(result.value_at_risk.high, 180.0);
}

TEST(tail_risk, has_intervals_that_hold_the_truth_as_often_as_they_say) {
  int held_value = 0;
  int held_shortfall = 0;
  constexpr int samples = 1500;
  for (int seed = 0; seed < samples; ++seed) {
    const auto result = weft::tail_risk(normals(static_cast<std::uint64_t>(seed), 2000), {.level = 0.95});
    const auto& value = result.value_at_risk;
    const auto& beyond = result.expected_shortfall;
    if (value.low <= quantile && quantile <= value.high) ++held_value;
    if (beyond.low <= shortfall && shortfall <= beyond.high) ++held_shortfall;
  }
  EXPECT_GT(held_value, 0.93 * samples);
  EXPECT_LT(held_value, 0.97 * samples);
  EXPECT_GT(held_shortfall, 0.92 * samples);  // 100 losses are few: its interval is a little too small
  EXPECT_LT(held_shortfall, 0.97 * samples);
}

TEST(tail_risk, refuses_what_has_no_tail) {
  const auto refusal = [](const std::vector<double>& losses, const weft::tail_risk_options& options) {
    try {
      weft::tail_risk(losses, options);
    } catch (const weft::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  EXPECT_NE(refusal(normals(0, 500), {}).find("500 losses have 5.0"), std::string::npos);
  EXPECT_NE(refusal({}, {}).find("0 losses"), std::string::npos);
  EXPECT_NE(refusal(normals(0, 500), {.level = 1.0}).find("level is 1"), std::string::npos);
  EXPECT_NE(refusal(normals(0, 500), {.level = 0.5, .confidence = 0.0}).find("confidence is 0"),
            std::string::npos);
}

}  // namespace tail_risk_test
