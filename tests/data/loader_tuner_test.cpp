#include <gtest/gtest.h>
#include <weft/data/detail/loader_tuner.hpp>
#include <weft/data/loader.hpp>

#include <algorithm>  // for std::ranges::sort, std::ranges::unique
#include <cstdint>    // for std::int64_t
#include <mutex>      // for std::mutex
#include <vector>     // for std::vector

namespace weft {
namespace loader_tuner_test {

using detail::loader_period;
using detail::loader_tuner;

constexpr loader_period waiting = {.seconds = 1.0, .waited = 0.5, .loading = 2.0};
constexpr loader_period calm = {.seconds = 1.0, .waited = 0.001, .loading = 2.0};
constexpr loader_period between = {.seconds = 1.0, .waited = 0.03, .loading = 2.0};

TEST(LoaderTunerTest, ACallerThatWaitsGetsMoreUpToTheMost) {
  loader_tuner tuner({.threads = 4, .prefetch = 10, .read_ahead = 100});
  EXPECT_EQ(tuner.chosen(), (loader_tuning{4, 2, 0}));
  for (const int prefetch : {4, 8, 10}) {
    EXPECT_TRUE(tuner.observe(waiting));
    EXPECT_EQ(tuner.chosen(), (loader_tuning{4, prefetch, 0}));
  }
  EXPECT_FALSE(tuner.observe(waiting));
  loader_period reads = waiting;
  reads.reading = 1.0;
  for (const int ahead : {16, 32, 64, 100}) {
    EXPECT_TRUE(tuner.observe(reads));
    EXPECT_EQ(tuner.chosen(), (loader_tuning{4, 10, ahead}));
  }
  EXPECT_FALSE(tuner.observe(reads));
}

TEST(LoaderTunerTest, ACallerThatDoesNotWaitGetsThreadsBackUntilOneIsMissed) {
  loader_tuner tuner({.threads = 4, .prefetch = 8, .read_ahead = 0});
  const auto quiet = [&] {
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(tuner.observe(calm));
    return tuner.observe(calm);
  };
  EXPECT_TRUE(quiet());
  EXPECT_TRUE(quiet());
  EXPECT_EQ(tuner.chosen().threads, 2);
  EXPECT_TRUE(tuner.observe(waiting));
  EXPECT_EQ(tuner.chosen().threads, 3);
  EXPECT_EQ(tuner.chosen().prefetch, 2) << "the thread was missing, not the batches";
  EXPECT_FALSE(quiet()) << "with two threads the caller waited";
  EXPECT_TRUE(tuner.observe(waiting));
  EXPECT_EQ(tuner.chosen().threads, 4);
}

TEST(LoaderTunerTest, ALittleWaitingChangesNothing) {
  loader_tuner tuner({.threads = 2, .prefetch = 8, .read_ahead = 8});
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(tuner.observe(calm));
  EXPECT_FALSE(tuner.observe(between));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(tuner.observe(calm));
  EXPECT_EQ(tuner.chosen(), (loader_tuning{2, 2, 0}));
  loader_tuner single({.threads = 1, .prefetch = 1, .read_ahead = 0});
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(single.observe(calm));
  EXPECT_EQ(single.chosen(), (loader_tuning{1, 1, 0}));
}

/// Takes long enough that a caller who does nothing else waits nearly all of the time.
struct slow {
  std::int64_t count;

  std::int64_t size() const { return count; }
  double load(std::int64_t index) const {
    double sum = 0.0;
    for (int i = 1; i < 20'000; ++i) sum += 1.0 / static_cast<double>(i + index);
    return sum;
  }
};

TEST(LoaderTunerTest, ALoaderReportsWhatItChoseAndMakesTheSameBatches) {
  thread_pool pool(3);
  const auto load = [&](const loader_options& options, loader_tuning& tuning) {
    loader all(pool, slow{400}, options);
    std::vector<double> seen;
    for (auto& batch : all) seen.insert(seen.end(), batch->begin(), batch->end());
    tuning = all.stats().tuning;
    return seen;
  };
  loader_options options = {.batch_size = 4, .shuffle = true, .seed = 1, .threads = 2, .prefetch = 16};
  loader_tuning plain;
  const auto wanted = load(options, plain);
  EXPECT_EQ(plain, (loader_tuning{2, 16, 0}));
  options.autotune = true;
  loader_tuning tuned;
  EXPECT_EQ(load(options, tuned), wanted);
  EXPECT_EQ(tuned, (loader_tuning{2, 16, 0})) << "the caller always waited, and nothing was read";
  {
    loader fresh(pool, slow{4}, options);
    EXPECT_EQ(fresh.stats().tuning, (loader_tuning{2, 2, 0}));
  }
  options.threads = 100;
  load(options, tuned);
  EXPECT_EQ(tuned.threads, 3) << "the pool has no more";
  const auto made = [&](const loader_options& wrong) { loader all(pool, slow{4}, wrong); };
  EXPECT_THROW(made({.threads = -1}), invalid_argument);
  EXPECT_THROW(made({.read_ahead = -1}), invalid_argument);
}

/// Writes down what it is told of.
struct foretold {
  std::int64_t count;
  std::mutex* mutex;
  std::vector<std::int64_t>* told;

  std::int64_t size() const { return count; }
  std::int64_t load(std::int64_t index) const { return index; }
  void will_need(std::int64_t index) const {
    const std::lock_guard lock(*mutex);
    told->push_back(index);
  }
};

TEST(LoaderTunerTest, ASourceIsToldOnceOfEverySampleThatIsNotAtTheBeginning) {
  thread_pool pool(2);
  std::mutex mutex;
  for (const std::int64_t world : {1, 3}) {
    for (const int ahead : {1, 7, 40, 1000}) {
      std::vector<std::int64_t> told;
      loader all(pool, foretold{100, &mutex, &told},
                 {.batch_size = 9,
                  .shuffle = true,
                  .epochs = 2,
                  .read_ahead = ahead,
                  .rank = world - 1,
                  .world = world});
      std::vector<std::int64_t> loaded;
      std::size_t behind_first = 0;
      for (auto& batch : all) {
        loaded.insert(loaded.end(), batch->begin(), batch->end());
        if (batch.number() != 0) behind_first += batch->size();
      }
      if (ahead >= 9) {
        EXPECT_EQ(told.size(), behind_first);
      } else {
        EXPECT_GT(told.size(), 0U);
      }
      for (std::vector<std::int64_t>* each : {&told, &loaded}) std::ranges::sort(*each);
      EXPECT_TRUE(std::ranges::includes(loaded, told)) << "another rank's, or one more often than it comes";
    }
  }
}

}  // namespace loader_tuner_test
}  // namespace weft
