#include <gtest/gtest.h>

#include <algorithm>  // for std::sort
#include <chrono>     // for std::chrono::milliseconds
#include <cmath>      // for std::ceil
#include <cstdint>    // for std::uint64_t
#include <limits>     // for std::numeric_limits
#include <random>     // for std::mt19937_64
#include <string>     // for std::string
#include <thread>     // for std::thread
#include <vector>     // for std::vector
#include <weft/core/error.hpp>
#include <weft/observe/histogram.hpp>

namespace histogram_test {

using weft::histogram;

double exact_quantile(const std::vector<double>& sorted, double q) {
  const double rank = std::ceil(q * static_cast<double>(sorted.size()));
  return sorted[rank < 1 ? 0 : static_cast<std::size_t>(rank) - 1];
}

TEST(histogram, is_empty_at_first) {
  const auto empty = histogram().snapshot();
  EXPECT_EQ(empty.count(), 0U);
  EXPECT_EQ(empty.sum(), 0.0);
  EXPECT_TRUE(std::isnan(empty.quantile(0.5)));
  EXPECT_TRUE(std::isnan(empty.mean()));
  EXPECT_TRUE(std::isnan(empty.min()));
  EXPECT_TRUE(std::isnan(empty.max()));
  EXPECT_TRUE(empty.buckets().empty());
}

TEST(histogram, quantiles_are_within_the_stated_error) {
  for (const double asked : {0.25, 1.0 / 64, 0.01, 0.001}) {
    histogram values({.relative_error = asked});
    EXPECT_LE(values.relative_error(), asked);
    EXPECT_GT(values.relative_error(), asked / 2.0001);
    std::mt19937_64 random(7);
    std::lognormal_distribution<double> latency(-7, 2);
    std::vector<double> samples(20'000);
    for (double& sample : samples) {
      sample = latency(random);
      values.record(sample);
    }
    std::sort(samples.begin(), samples.end());
    const auto content = values.snapshot();
    for (const double q : {0.0, 0.001, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
      const double exact = exact_quantile(samples, q);
      EXPECT_NEAR(content.quantile(q), exact, exact * values.relative_error()) << "q = " << q;
    }
    EXPECT_EQ(content.min(), samples.front());
    EXPECT_EQ(content.max(), samples.back());
  }
}

TEST(histogram, buckets_tile_the_range) {
  histogram values({.lowest = 1, .highest = 1000, .relative_error = 0.25});
  for (int i = 1; i <= 1000; ++i) values.record(i);
  const auto buckets = values.snapshot().buckets();
  std::uint64_t count = 0;
  double end = 1;
  for (const auto& bucket : buckets) {
    // [1, 1.5) holds the only integer of [1, 2), and the empty [1.5, 2) is left out.
    EXPECT_EQ(bucket.lower, end == 1.5 ? 2.0 : end);
    end = bucket.upper;
    const double integers = std::min(std::ceil(bucket.upper), 1001.0) - std::ceil(bucket.lower);
    EXPECT_EQ(static_cast<double>(bucket.count), integers);
    count += bucket.count;
  }
  EXPECT_EQ(count, 1000U);
}

TEST(histogram, counts_what_lies_outside_with_the_extremes) {
  histogram values({.lowest = 1, .highest = 100});
  for (const double value : {-5.0, 0.0, 0.5, 10.0, 1e6, 2e6}) values.record(value);
  const auto content = values.snapshot();
  EXPECT_EQ(content.count(), 6U);
  EXPECT_EQ(content.sum(), -5.0 + 0.5 + 10 + 3e6);
  EXPECT_EQ(content.quantile(0), -5);
  EXPECT_EQ(content.quantile(0.5), -5);
  EXPECT_NEAR(content.quantile(4.0 / 6), 10, 10 * values.relative_error());
  EXPECT_EQ(content.quantile(5.0 / 6), 2e6);
  EXPECT_EQ(content.quantile(1), 2e6);
  const auto buckets = content.buckets();
  ASSERT_EQ(buckets.size(), 3U);
  EXPECT_EQ(buckets.front().lower, -5);
  EXPECT_EQ(buckets.front().count, 3U);
  EXPECT_EQ(buckets.back().upper, 2e6);
  EXPECT_EQ(buckets.back().count, 2U);
}

TEST(histogram, the_bounds_themselves_are_inside) {
  histogram values({.lowest = 3, .highest = 1000});
  values.record(3);
  values.record(1000);
  const auto content = values.snapshot();
  EXPECT_EQ(content.buckets().front().count, 1U);
  EXPECT_LE(content.buckets().front().lower, 3.0);
  EXPECT_GT(content.buckets().back().upper, 1000.0);
}

TEST(histogram, rejects_what_is_not_finite) {
  histogram values;
  values.record(std::numeric_limits<double>::quiet_NaN());
  values.record(std::numeric_limits<double>::infinity());
  values.record(-std::numeric_limits<double>::infinity());
  values.record(1);
  const auto content = values.snapshot();
  EXPECT_EQ(content.count(), 1U);
  EXPECT_EQ(content.rejected(), 3U);
  EXPECT_EQ(content.sum(), 1.0);
}

TEST(histogram, records_durations_in_seconds) {
  histogram values;
  values.record(std::chrono::milliseconds(250));
  EXPECT_DOUBLE_EQ(values.snapshot().sum(), 0.25);
}

TEST(histogram, merging_equals_recording_together) {
  histogram left;
  histogram right;
  histogram both;
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> uniform(0, 10);
  for (int i = 0; i < 1000; ++i) {
    const double value = uniform(random);
    (i % 3 == 0 ? left : right).record(value);
    both.record(value);
  }
  auto merged = histogram().snapshot();
  merged.merge(left.snapshot());
  merged.merge(right.snapshot());
  merged.merge(histogram().snapshot());
  const auto expected = both.snapshot();
  EXPECT_EQ(merged.count(), expected.count());
  EXPECT_EQ(merged.min(), expected.min());
  EXPECT_EQ(merged.max(), expected.max());
  EXPECT_NEAR(merged.sum(), expected.sum(), 1e-6);
  for (const double q : {0.01, 0.5, 0.99}) EXPECT_EQ(merged.quantile(q), expected.quantile(q));
}

TEST(histogram, refuses_to_merge_other_buckets) {
  auto content = histogram().snapshot();
  EXPECT_THROW(content.merge(histogram({.relative_error = 0.1}).snapshot()), weft::invalid_argument);
  EXPECT_THROW(content.merge(histogram({.highest = 10}).snapshot()), weft::invalid_argument);
}

TEST(histogram, refuses_options_and_quantiles_that_cannot_work) {
  EXPECT_THROW(histogram({.lowest = 0}), weft::invalid_argument);
  EXPECT_THROW(histogram({.lowest = 2, .highest = 1}), weft::invalid_argument);
  EXPECT_THROW(histogram({.highest = std::numeric_limits<double>::infinity()}), weft::invalid_argument);
  EXPECT_THROW(histogram({.relative_error = 0}), weft::invalid_argument);
  EXPECT_THROW(histogram({.relative_error = 0.5}), weft::invalid_argument);
  EXPECT_THROW(static_cast<void>(histogram().snapshot().quantile(1.01)), weft::invalid_argument);
  EXPECT_THROW(static_cast<void>(histogram().snapshot().quantile(std::nan(""))), weft::invalid_argument);
  try {
    histogram({.relative_error = 0.5});
  } catch (const weft::invalid_argument& e) {
    EXPECT_NE(std::string(e.what()).find("relative_error is 0.5"), std::string::npos) << e.what();
  }
}

TEST(histogram, loses_nothing_when_threads_record_end_and_are_read) {
  constexpr int threads = 4;
  constexpr int rounds = 20;
  constexpr int each = 1000;
  histogram values;
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([&] {
      for (int round = 0; round < rounds; ++round) {
        std::thread([&] {
          for (int k = 1; k <= each; ++k) values.record(k);
        }).join();
        values.record(5000);
      }
    });
  }
  std::uint64_t last = 0;
  for (int i = 0; i < 50; ++i) {
    const std::uint64_t now = values.snapshot().count();
    ASSERT_GE(now, last);
    last = now;
  }
  for (std::thread& worker : workers) worker.join();
  const auto content = values.snapshot();
  EXPECT_EQ(content.count(), static_cast<std::uint64_t>(threads * rounds * (each + 1)));
  EXPECT_EQ(content.sum(), 1.0 * threads * rounds * (each * (each + 1) / 2 + 5000));
  EXPECT_EQ(content.min(), 1);
  EXPECT_EQ(content.max(), 5000);
}

TEST(histogram, a_new_one_does_not_see_an_old_ones_samples) {
  for (int i = 0; i < 3; ++i) {
    histogram values;
    values.record(i);
    std::thread([&] { values.record(i); }).join();
    EXPECT_EQ(values.snapshot().count(), 2U);
  }
}

TEST(histogram, records_while_its_thread_ends) {
  static histogram* target = nullptr;
  struct last_words {
    ~last_words() { target->record(3); }
  };
  histogram values;
  target = &values;
  std::thread([&] {
    static thread_local last_words words;
    static_cast<void>(words);
    values.record(4);
  }).join();
  EXPECT_EQ(values.snapshot().sum(), 7.0);
}

}  // namespace histogram_test
