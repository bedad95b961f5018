#include <gtest/gtest.h>
#include <weft/core/error.hpp>
#include <weft/data/sampler.hpp>

#include <algorithm>  // for std::sort, std::count, std::max, std::min, std::is_sorted
#include <cmath>      // for std::sqrt, std::nan, std::abs
#include <map>        // for std::map
#include <numeric>    // for std::iota
#include <set>        // for std::set

namespace weft {
namespace sampler_test {

std::vector<std::int64_t> sorted(std::vector<std::int64_t> order) {
  std::sort(order.begin(), order.end());
  return order;
}

std::vector<std::int64_t> counted(std::int64_t count) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  return order;
}

TEST(SamplerTest, SequentialIsTheSameEveryEpoch) {
  const sampler order = sampler::sequential(5);
  EXPECT_EQ(order.count(), 5);
  EXPECT_EQ(order.epoch(0), counted(5));
  EXPECT_EQ(order.epoch(3), counted(5));
}

TEST(SamplerTest, EveryEpochHoldsEachSampleOnce) {
  for (const std::int64_t count : {0, 1, 2, 3, 17, 1000}) {
    const sampler order = sampler::shuffled(count, 7);
    for (std::uint64_t epoch = 0; epoch < 3; ++epoch) EXPECT_EQ(sorted(order.epoch(epoch)), counted(count));
  }
}

TEST(SamplerTest, OrderDependsOnSeedAndEpochOnly) {
  const sampler order = sampler::shuffled(100, 42);
  const auto second = order.epoch(1);
  EXPECT_NE(order.epoch(0), second);
  EXPECT_EQ(order.epoch(1), second) << "drawing another epoch in between changed it";
  EXPECT_EQ(sampler::shuffled(100, 42).epoch(1), second);
  EXPECT_NE(sampler::shuffled(100, 43).epoch(1), second);
}

// The first two sizes have a table, the others do not.
TEST(SamplerTest, OrderHoldsEachSampleOnceForSetsOfAnySize) {
  for (const std::int64_t count : {65'535, 65'536, 65'537, 65'793, 100'003}) {
    const sampler samples = sampler::shuffled(count, 3);
    const epoch_order order = samples.order(2);
    ASSERT_EQ(order.size(), count);
    const auto indices = samples.epoch(2);
    EXPECT_EQ(sorted(indices), counted(count));
    EXPECT_NE(indices, samples.epoch(3));
    for (const std::int64_t i : {std::int64_t{0}, count / 2, count - 1}) {
      EXPECT_EQ(order[i], indices[static_cast<std::size_t>(i)]);
    }
  }
}

// With a table it would not fit into memory.
TEST(SamplerTest, OrderOfAnEnormousSetIsEnteredAnywhere) {
  constexpr std::int64_t count = std::int64_t{1} << 52;
  const epoch_order order = sampler::shuffled(count, 9).order(0);
  std::set<std::int64_t> seen;
  for (std::int64_t i = 0; i < 1000; ++i) {
    const std::int64_t index = order[count - 1 - i * 1'000'003];
    EXPECT_GE(index, 0);
    EXPECT_LT(index, count);
    seen.insert(index);
  }
  EXPECT_EQ(seen.size(), 1000U);
}

// A position says nothing about the sample: neither where it lies nor how far from its neighbour's.
TEST(SamplerTest, LargeOrderIsMixed) {
  constexpr std::int64_t count = 100'000;
  const epoch_order order = sampler::shuffled(count, 11).order(0);
  constexpr int parts = 10;
  std::map<std::pair<std::int64_t, std::int64_t>, int> places;
  std::map<std::int64_t, int> steps;
  for (std::int64_t i = 0; i < count; ++i) {
    ++places[{i * parts / count, order[i] * parts / count}];
    ++steps[(order[(i + 1) % count] - order[i] + count) % count * parts / count];
  }
  for (const auto& [place, times] : places) EXPECT_NEAR(times, 1000, 200);
  for (const auto& [step, times] : steps) EXPECT_NEAR(times, 10'000, 600);
}

// Numbers that a checkpoint or a published result may depend on: they never change. Computed apart from weft,
// by a Philox written out in Python.
TEST(SamplerTest, OrderIsStableAcrossReleases) {
  EXPECT_EQ(sampler::shuffled(10, 1).epoch(0), (std::vector<std::int64_t>{9, 2, 8, 6, 1, 7, 4, 3, 5, 0}));
}

TEST(SamplerTest, AllPermutationsAreEquallyLikely) {
  constexpr int epochs = 24'000;
  const sampler order = sampler::shuffled(4, 5);
  std::map<std::vector<std::int64_t>, int> seen;
  for (std::uint64_t epoch = 0; epoch < epochs; ++epoch) ++seen[order.epoch(epoch)];
  ASSERT_EQ(seen.size(), 24U);
  double chi_squared = 0.0;
  for (const auto& [permutation, times] : seen) {
    const double distance = times - epochs / 24.0;
    chi_squared += distance * distance / (epochs / 24.0);
  }
  EXPECT_LT(chi_squared, 49.73) << "beyond the 99.9 % quantile of chi squared with 23 degrees of freedom";
}

TEST(SamplerTest, NegativeCountIsRefused) {
  EXPECT_THROW(sampler::sequential(-1), invalid_argument);
  EXPECT_THROW(sampler::shuffled(-1, 0), invalid_argument);
}

TEST(BatchOrderTest, LastBatchIsSmallerOrDropped) {
  const batch_order all(counted(10), 4);
  ASSERT_EQ(all.size(), 3);
  EXPECT_EQ(std::vector<std::int64_t>(all[0].begin(), all[0].end()), (std::vector<std::int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(std::vector<std::int64_t>(all[2].begin(), all[2].end()), (std::vector<std::int64_t>{8, 9}));
  EXPECT_EQ(batch_order(counted(10), 4, true).size(), 2);
  EXPECT_EQ(batch_order(counted(8), 4).size(), 2);
  EXPECT_EQ(batch_order(counted(8), 4, true).size(), 2);
  EXPECT_EQ(batch_order({}, 4).size(), 0);
  EXPECT_EQ(batch_order(counted(3), 4).size(), 1);
  EXPECT_EQ(batch_order(counted(3), 4, true).size(), 0);
}

TEST(BatchOrderTest, BatchSizeIsChecked) {
  EXPECT_THROW(batch_order(counted(3), 0), invalid_argument);
  EXPECT_THROW(batch_order(counted(3), -2), invalid_argument);
}

TEST(SamplerTest, WeightedDrawsAsOftenAsTheWeightsSay) {
  std::vector<double> weights(1000, 0.5);
  for (std::size_t i = 0; i < 1000; i += 10) weights[i] = 0.0;
  weights[1] = 250.0;
  weights[999] = 100.0;
  const sampler drawn = sampler::weighted(weights, 4);
  EXPECT_EQ(drawn.count(), 1000);
  double sum = 0.0;
  for (const double weight : weights) sum += weight;
  std::vector<double> times(1000);
  constexpr int epochs = 200;
  for (std::uint64_t epoch = 0; epoch < epochs; ++epoch) {
    for (const std::int64_t sample : drawn.epoch(epoch)) times[static_cast<std::size_t>(sample)] += 1.0;
  }
  for (std::size_t i = 0; i < 1000; ++i) {
    const double wanted = weights[i] / sum * 1000.0 * epochs;
    EXPECT_NEAR(times[i], wanted, 5.0 * std::sqrt(wanted)) << i;
  }
  EXPECT_EQ(drawn.epoch(3), sampler::weighted(weights, 4).epoch(3));
  EXPECT_NE(drawn.epoch(3), drawn.epoch(4));
  EXPECT_NE(drawn.epoch(3), sampler::weighted(weights, 5).epoch(3));
}

TEST(SamplerTest, WeightsThatCannotBe) {
  using list = std::vector<double>;
  EXPECT_THROW(sampler::weighted(list{1.0, -1.0}, 0), invalid_argument);
  EXPECT_THROW(sampler::weighted(list{1.0, std::nan("")}, 0), invalid_argument);
  EXPECT_THROW(sampler::weighted(list{0.0, 0.0}, 0), invalid_argument);
  EXPECT_EQ(sampler::weighted(list{}, 0).count(), 0);
  EXPECT_EQ(sampler::weighted(list{0.0, 3.0, 0.0}, 0).epoch(0), (std::vector<std::int64_t>{1, 1, 1}));
}

using groups = std::vector<std::int32_t>;

/// 1000 samples: group 0 has 600, 1 has 3, 2 has none, 3 has 397; they lie mixed.
groups uneven() {
  groups of(1000, 0);
  for (std::size_t i = 0; i < 397; ++i) of[i * 5 / 2] = 3;
  for (const std::size_t i : {1, 501, 999}) of[i] = 1;
  for (std::size_t i = 999, left = 397 - std::count(of.begin(), of.end(), 3); left > 0; --i) {
    if (of[i] == 0) of[i] = 3, --left;
  }
  return of;
}

/// Of the first p samples, how many more or less than p times its share a group has, at most.
double deviation(const std::vector<std::int64_t>& order, const groups& of, std::int32_t group, double share) {
  double worst = 0.0;
  double seen = 0.0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (of[static_cast<std::size_t>(order[i])] == group) seen += 1.0;
    worst = std::max(worst, std::abs(seen - share * static_cast<double>(i + 1)));
  }
  return worst;
}

TEST(SamplerTest, GroupsComeInTheProportionOfTheirSizesAndEachSampleOnce) {
  const groups of = uneven();
  for (const bool shuffle : {false, true}) {
    const sampler order = sampler::grouped(of, {}, shuffle, 3);
    for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
      const auto samples = order.epoch(epoch);
      EXPECT_EQ(sorted(samples), counted(1000));
      EXPECT_LT(deviation(samples, of, 0, 0.6), 1.0);
      EXPECT_LT(deviation(samples, of, 1, 0.003), 1.0);
      EXPECT_LT(deviation(samples, of, 3, 0.397), 1.0);
    }
    EXPECT_EQ(order.epoch(0) != order.epoch(1), shuffle);
    EXPECT_EQ(order.epoch(1), sampler::grouped(of, {}, shuffle, 3).epoch(1));
  }
  EXPECT_NE(sampler::grouped(of, {}, true, 3).epoch(0), sampler::grouped(of, {}, true, 4).epoch(0));
}

// Many small groups beside a large one are spread over the epoch, not put where they first fit.
TEST(SamplerTest, ManySmallGroupsAreSpread) {
  groups of(2000, 0);
  for (std::int32_t i = 0; i < 500; ++i) of[static_cast<std::size_t>(i)] = i + 1;
  const auto samples = sampler::grouped(of, {}, true, 1).epoch(0);
  EXPECT_EQ(sorted(samples), counted(2000));
  EXPECT_LT(deviation(samples, of, 0, 0.75), 1.0);
}

TEST(SamplerTest, SharesMixGroupsAndGoOnWithThemInTheNextEpoch) {
  const groups of = uneven();
  const std::vector<double> shares = {1.0, 2.0, 0.0, 1.0};
  const sampler order = sampler::grouped(of, shares, true, 9);
  std::map<std::int64_t, int> times;
  for (std::uint64_t epoch = 0; epoch < 7; ++epoch) {
    const auto samples = order.epoch(epoch);
    ASSERT_EQ(samples.size(), 1000U);
    EXPECT_LT(deviation(samples, of, 1, 0.5), 1.0);
    EXPECT_LT(deviation(samples, of, 0, 0.25), 1.0);
    for (const std::int64_t each : samples) ++times[each];
  }
  // 7 epochs ask for 1750 of group 0's 600, for 3500 of group 1's 3 and for 1750 of group 3's 397.
  for (std::int64_t i = 0; i < 1000; ++i) {
    const std::int32_t group = of[static_cast<std::size_t>(i)];
    const double wanted = group == 0 ? 1750.0 / 600.0 : group == 1 ? 3500.0 / 3.0 : 1750.0 / 397.0;
    EXPECT_NEAR(times[i], wanted, 1.0) << i;
  }
}

// A group of more than 65,536 has no table.
TEST(SamplerTest, LargeGroups) {
  groups of(150'000, 0);
  for (std::size_t i = 0; i < of.size(); i += 2) of[i] = 1;
  EXPECT_EQ(sorted(sampler::grouped(of, {}, true, 2).epoch(1)), counted(150'000));
}

TEST(SamplerTest, GroupsAndSharesThatCannotBe) {
  const auto made = [](const groups& of, const std::vector<double>& shares) {
    return sampler::grouped(of, shares, true, 0).epoch(0);
  };
  EXPECT_THROW(made({0, -1}, {}), invalid_argument);
  EXPECT_THROW(made({0, 1}, {1.0}), invalid_argument);
  EXPECT_THROW(made({0, 1}, {1.0, -1.0}), invalid_argument);
  EXPECT_THROW(made({0, 1}, {0.0, 0.0}), invalid_argument);
  EXPECT_THROW(made({0, 1}, {1.0, std::nan("")}), invalid_argument);
  EXPECT_THROW(made({0, 0}, {1.0, 1.0}), invalid_argument) << "group 1 has no samples";
  EXPECT_EQ(made({}, {}).size(), 0U);
  EXPECT_EQ(made({}, {1.0}).size(), 0U);
  EXPECT_EQ(made({0, 1, 1}, {1.0, 0.0}), (std::vector<std::int64_t>{0, 0, 0}));
}

TEST(SamplerTest, ByLengthSortsWindowsAndShufflesTheirBatches) {
  constexpr std::int64_t batch = 8;
  constexpr std::int64_t count = 1003;
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 0; i < count; ++i) lengths.push_back((i * 7919) % 500);
  const auto padding = [&](const std::vector<std::int64_t>& order) {
    std::int64_t sum = 0;
    for (std::size_t begin = 0; begin < order.size(); begin += batch) {
      std::int64_t longest = 0;
      std::int64_t own = 0;
      const std::size_t end = std::min(begin + batch, order.size());
      for (std::size_t i = begin; i < end; ++i) {
        longest = std::max(longest, lengths[static_cast<std::size_t>(order[i])]);
        own += lengths[static_cast<std::size_t>(order[i])];
      }
      sum += longest * static_cast<std::int64_t>(end - begin) - own;
    }
    return sum;
  };
  const sampler plain = sampler::shuffled(count, 4);
  const sampler order = plain.by_length(lengths, batch, 25);
  for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
    EXPECT_EQ(sorted(order.epoch(epoch)), counted(count));
    EXPECT_LT(20 * padding(order.epoch(epoch)), padding(plain.epoch(epoch)));
    EXPECT_EQ(order.order(epoch)[1002], plain.order(epoch)[1002]) << "the last batch is of any lengths";
  }
  EXPECT_NE(order.epoch(0), order.epoch(1));
  EXPECT_EQ(order.epoch(1), plain.by_length(lengths, batch, 25).epoch(1));
  // Batches of one window are not in the order of their lengths.
  const auto first = order.epoch(0);
  std::vector<std::int64_t> shortest;
  for (std::size_t i = 0; i < 200; i += batch)
    shortest.push_back(lengths[static_cast<std::size_t>(first[i])]);
  EXPECT_FALSE(std::is_sorted(shortest.begin(), shortest.end()));

  const auto still = sampler::sequential(count).by_length(lengths, batch, 1000).epoch(0);
  for (std::size_t i = 1; i < 1000; ++i) {
    EXPECT_LE(lengths[static_cast<std::size_t>(still[i - 1])], lengths[static_cast<std::size_t>(still[i])]);
  }
  EXPECT_THROW(plain.by_length(lengths, 0, 1), invalid_argument);
  EXPECT_THROW(plain.by_length(lengths, 1, 0), invalid_argument);
  EXPECT_THROW(sampler::shuffled(5, 0).by_length(lengths, 1, 1), invalid_argument);
}

}  // namespace sampler_test
}  // namespace weft
