#include <gtest/gtest.h>
#include <weft/data/joined.hpp>
#include <weft/data/mapped.hpp>

#include <algorithm>  // for std::count
#include <cstdint>    // for std::int32_t, std::int64_t
#include <set>        // for std::set
#include <stdexcept>  // for std::runtime_error
#include <string>     // for std::string
#include <vector>     // for std::vector

namespace weft {
namespace mapped_test {

struct numbers {
  std::int64_t count;

  std::int64_t size() const { return count; }
  double load(std::int64_t index) const { return static_cast<double>(index); }
};

/// Sample i of source s is the row {s, i}.
struct pairs {
  struct batch_type {
    tensor<float, 2> values;
    tensor<float, 1> sums;
  };
  std::int64_t count;
  float own = 0.0F;

  std::int64_t size() const { return count; }
  std::string name(std::int64_t index) const { return "pair " + std::to_string(index); }
  void prepare(batch_type& batch, std::int64_t samples) const {
    if (batch.values.extents() != shape<2>{samples, 2}) batch.values = tensor<float, 2>({samples, 2});
  }
  std::int64_t load(const sample_request& request, batch_type& batch) const {
    batch.values(request.row, 0) = own;
    batch.values(request.row, 1) = static_cast<float>(request.index);
    return 8;
  }
  void keep(batch_type& batch, std::span<const std::int64_t> rows) const {
    batch_type kept;
    prepare(kept, static_cast<std::int64_t>(rows.size()));
    std::int64_t to = 0;
    for (const std::int64_t row : rows) {
      for (const int col : {0, 1}) kept.values(to, col) = batch.values(row, col);
      ++to;
    }
    batch = std::move(kept);
  }
  void finish(batch_type& batch) const {
    const std::int64_t rows = batch.values.extent(0);
    batch.sums = tensor<float, 1>({rows});
    for (std::int64_t row = 0; row < rows; ++row)
      batch.sums(row) = batch.values(row, 0) + batch.values(row, 1);
  }
};

TEST(MappedTest, SamplesAreChangedOneByOne) {
  thread_pool pool(2);
  const auto shift = [](double& sample, const sample_request& request) {
    if (request.index == 3) throw std::runtime_error("three");
    sample += request.random.uniform(0);
  };
  std::vector<std::vector<double>> runs;
  for (int run = 0; run < 2; ++run) {
    loader all(pool, mapped_samples(numbers{8}, shift), {.batch_size = 4, .on_error = bad_sample::skip});
    std::vector<double> seen;
    for (auto& batch : all) {
      for (std::size_t i = 0; i < batch->size(); ++i) {
        EXPECT_GT((*batch)[i], static_cast<double>(batch.indices()[i]));
        EXPECT_LT((*batch)[i], static_cast<double>(batch.indices()[i] + 1));
        seen.push_back((*batch)[i]);
      }
    }
    EXPECT_EQ(all.failures().at(0).reason, "three");
    runs.push_back(seen);
  }
  EXPECT_EQ(runs[0].size(), 7U);
  EXPECT_EQ(runs[0], runs[1]);

  const auto twice = [](double& sample) { sample *= 2.0; };
  loader doubled(pool, mapped_samples(numbers{3}, twice), {.batch_size = 3});
  EXPECT_EQ(**doubled.next_wait(), (std::vector<double>{0.0, 2.0, 4.0}));
}

TEST(MappedTest, RowsAndWholeBatches) {
  thread_pool pool(2);
  const auto negate = [](pairs::batch_type& batch, const sample_request& request) {
    batch.values(request.row, 1) *= -1.0F;
  };
  // The source's own finish() comes first.
  const auto halve = [](pairs::batch_type& batch) {
    if (batch.values(0, 1) == -8.0F) throw std::runtime_error("eight");
    for (float& each : batch.sums.elements()) each /= 2.0F;
  };
  loader all(pool, mapped_batches(mapped_samples(pairs{9, 1.0F}, negate), halve), {.batch_size = 4});
  for (int number = 0; number < 2; ++number) {
    const auto batch = all.next_wait();
    for (std::int64_t row = 0; row < 4; ++row) {
      EXPECT_EQ((*batch)->sums(row), (1.0F - static_cast<float>(4 * number + row)) / 2.0F);
    }
  }
  EXPECT_THROW(all.next_wait(), std::runtime_error);
  EXPECT_GT(all.stats().finishing, 0.0);
}

TEST(MappedTest, JoinedSourcesAreMixedByProportion) {
  thread_pool pool(2);
  const joined_sources both(std::vector{pairs{30, 1.0F}, pairs{10, 2.0F}});
  EXPECT_EQ(both.size(), 40);
  const std::vector<std::int32_t> groups = both.groups();
  EXPECT_EQ(std::count(groups.begin(), groups.end(), 1), 10);
  EXPECT_EQ(both.name(30), "pair 0");
  loader all(pool, both, {.batch_size = 8, .shuffle = true, .groups = groups, .shares = {1.0, 1.0}});
  std::set<std::pair<float, float>> seen;
  for (auto& batch : all) {
    int second = 0;
    for (std::int64_t row = 0; row < 8; ++row) {
      const float source = batch->values(row, 0);
      const auto index = static_cast<float>(batch.indices()[static_cast<std::size_t>(row)]);
      EXPECT_EQ(batch->values(row, 1), source == 1.0F ? index : index - 30.0F);
      EXPECT_EQ(batch->sums(row), source + batch->values(row, 1));
      if (source == 2.0F) ++second;
      seen.insert({source, batch->values(row, 1)});
    }
    EXPECT_EQ(second, 4);
  }
  EXPECT_EQ(seen.size(), 30U) << "20 of the first source, and all of the second";
  EXPECT_THROW(joined_sources(std::vector<pairs>()), invalid_argument);
}

}  // namespace mapped_test
}  // namespace weft
