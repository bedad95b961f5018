#include <gtest/gtest.h>
#include <weft/async/run.hpp>
#include <weft/async/stream/from.hpp>
#include <weft/async/stream/sinks.hpp>
#include <weft/async/task_group.hpp>
#include <weft/async/timeout.hpp>
#include <weft/data/loader.hpp>
#include <weft/data/sampler.hpp>

#include <algorithm>   // for std::sort, std::count_if
#include <atomic>      // for std::atomic
#include <functional>  // for std::function
#include <latch>       // for std::latch
#include <set>         // for std::set
#include <stdexcept>   // for std::runtime_error
#include <string>      // for std::string, std::to_string

namespace weft {
namespace loader_test {

using indices = std::vector<std::int64_t>;
using batches = std::vector<indices>;

/// Its samples are ten times their indices; those in `bad` cannot be loaded.
struct tens {
  std::int64_t count = 0;
  std::set<std::int64_t> bad = {};

  std::int64_t size() const { return count; }
  std::string name(std::int64_t index) const { return "file" + std::to_string(index); }
  std::int64_t load(std::int64_t index) const {
    if (bad.contains(index)) throw std::runtime_error("broken");
    return 10 * index;
  }
};

template <class Source>
batches drain(loader<Source>& from) {
  batches all;
  for (auto& batch : from) all.push_back(*batch);
  return all;
}

batches load(thread_pool& pool, const tens& source, const loader_options& options) {
  loader all(pool, source, options);
  return drain(all);
}

indices flat(const batches& parts) {
  indices all;
  for (const indices& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

batches expected(std::int64_t count, std::int64_t batch_size, std::int64_t epochs, const sampler& order) {
  batches all;
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    const indices samples = order.epoch(static_cast<std::uint64_t>(epoch));
    for (std::int64_t i = 0; i < count; ++i) {
      if (i % batch_size == 0) all.emplace_back();
      all.back().push_back(10 * samples[static_cast<std::size_t>(i)]);
    }
  }
  return all;
}

TEST(LoaderTest, GivesTheSamplersBatchesForAnyNumberOfThreads) {
  const batches wanted = expected(103, 8, 3, sampler::shuffled(103, 5));
  for (const int threads : {1, 2, 4}) {
    thread_pool pool(threads);
    for (const int prefetch : {1, 2, 7}) {
      EXPECT_EQ(
          load(pool, {103}, {.batch_size = 8, .shuffle = true, .seed = 5, .epochs = 3, .prefetch = prefetch}),
          wanted);
    }
  }
}

TEST(LoaderTest, SequentialWithoutShuffleAndWithoutTheLastBatchIfAsked) {
  thread_pool pool(2);
  EXPECT_EQ(load(pool, {5}, {.batch_size = 2}), (batches{{0, 10}, {20, 30}, {40}}));
  EXPECT_EQ(load(pool, {5}, {.batch_size = 2, .drop_last = true}), (batches{{0, 10}, {20, 30}}));
  EXPECT_EQ(load(pool, {0}, {.batch_size = 2, .epochs = 0}), batches{});
  EXPECT_EQ(load(pool, {1}, {.batch_size = 2, .epochs = 0, .drop_last = true}), batches{});
}

TEST(LoaderTest, IsAStream) {
  thread_pool pool(2);
  loader all(pool, tens{50}, {.batch_size = 7, .shuffle = true, .seed = 1, .epochs = 2});
  batches seen;
  const auto keep = [&](loaded_batch<indices> batch) {
    EXPECT_EQ(batch.size(), static_cast<std::int64_t>(batch->size()));
    for (std::size_t i = 0; i < batch->size(); ++i) EXPECT_EQ((*batch)[i], 10 * batch.indices()[i]);
    EXPECT_EQ(batch.epoch() * all.batches_per_epoch() + batch.number(),
              static_cast<std::int64_t>(seen.size()));
    seen.push_back(*batch);
  };
  run(from(all) | for_each(keep));
  EXPECT_EQ(seen, expected(50, 7, 2, sampler::shuffled(50, 1)));
}

TEST(LoaderTest, RanksTogetherMakeTheBatchesOfOneProcess) {
  thread_pool pool(2);
  for (const std::int64_t world : {1, 2, 3, 5, 8}) {
    const loader_options whole = {.batch_size = 8, .shuffle = true, .seed = 9, .epochs = 2};
    const batches wanted = load(pool, {45}, whole);  // the last batch has 5 samples
    batches together(wanted.size());
    for (std::int64_t rank = 0; rank < world; ++rank) {
      loader_options part = whole;
      part.rank = rank;
      part.world = world;
      const batches mine = load(pool, {45}, part);
      ASSERT_EQ(mine.size(), wanted.size()) << "a rank has fewer batches";
      for (std::size_t i = 0; i < mine.size(); ++i) {
        together[i].insert(together[i].end(), mine[i].begin(), mine[i].end());
        EXPECT_LE(std::abs(static_cast<std::int64_t>(mine[i].size()) * world -
                           static_cast<std::int64_t>(wanted[i].size())),
                  world);
      }
    }
    EXPECT_EQ(together, wanted) << "world " << world;
  }
}

TEST(LoaderTest, ResumesAtEveryBatchWithOtherThreads) {
  thread_pool two(2);
  thread_pool three(3);
  const loader_options options = {.batch_size = 4, .shuffle = true, .seed = 2, .epochs = 3};
  const batches wanted = load(two, {18}, options);
  for (std::size_t stop = 0; stop <= wanted.size(); ++stop) {
    loader first(two, tens{18}, options);
    batches seen;
    for (std::size_t i = 0; i < stop; ++i) seen.push_back(**first.next_wait());
    loader second(three, tens{18}, options);
    second.resume(first.state());
    EXPECT_EQ(second.state(), first.state());
    for (auto& batch : second) seen.push_back(*batch);
    EXPECT_EQ(seen, wanted) << "stopped after " << stop;
  }
}

TEST(LoaderTest, ResumesInAnEnormousSetAtOnce) {
  constexpr std::int64_t count = std::int64_t{1} << 40;  // going through what came before would never end
  thread_pool pool(2);
  loader all(pool, tens{count}, {.batch_size = 4, .shuffle = true, .seed = 3, .epochs = 5});
  loader_state where = all.state();
  where.next = 3 * all.batches_per_epoch() + 12345;
  all.resume(where);
  const epoch_order order = sampler::shuffled(count, 3).order(3);
  const auto batch = all.next_wait();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->epoch(), 3);
  EXPECT_EQ(batch->number(), 12345);
  for (std::int64_t i = 0; i < 4; ++i)
    EXPECT_EQ(batch->indices()[static_cast<std::size_t>(i)], order[4 * 12345 + i]);
}

TEST(LoaderTest, ResumeRefusesAnotherSequence) {
  thread_pool pool(1);
  const loader_options options = {.batch_size = 4, .shuffle = true, .seed = 2};
  const loader_state good = loader(pool, tens{18}, options).state();
  const auto refused = [&](const std::function<void(loader_state&)>& change, const char* what) {
    loader_state bad = good;
    change(bad);
    loader all(pool, tens{18}, options);
    try {
      all.resume(bad);
      ADD_FAILURE() << what;
    } catch (const invalid_argument& failure) {
      EXPECT_NE(std::string(failure.what()).find(what), std::string::npos) << failure.what();
    }
  };
  refused([](auto& state) { state.samples = 19; }, "samples = 19");
  refused([](auto& state) { state.batch_size = 5; }, "batch_size = 5");
  refused([](auto& state) { state.seed = 7; }, "seed = 7");
  refused([](auto& state) { state.shuffle = false; }, "shuffle");
  refused([](auto& state) { state.drop_last = true; }, "drop_last");
  refused([](auto& state) { state.next = 6; }, "batch 6 of 5");
  refused([](auto& state) { state.ahead = {0}; }, "ahead");
  loader begun(pool, tens{18}, options);
  begun.next_wait();
  EXPECT_THROW(begun.resume(good), invalid_argument);
}

TEST(LoaderTest, OptionsThatCannotWork) {
  thread_pool pool(1);
  const auto refused = [&](const loader_options& options, const char* what) {
    try {
      loader all(pool, tens{1}, options);
      ADD_FAILURE() << what;
    } catch (const invalid_argument& failure) {
      EXPECT_NE(std::string(failure.what()).find(what), std::string::npos) << failure.what();
    }
  };
  refused({.batch_size = 0}, "batch_size is 0");
  refused({.epochs = -1}, "epochs is -1");
  refused({.prefetch = -1}, "prefetch is -1");
  refused({.world = 0}, "world is 0");
  refused({.batch_size = 2, .world = 3}, "world is 3");
  refused({.rank = 1, .world = 1}, "rank is 1");
}

/// Sample 0 is not done before `others` more have been: without as_ready, or with too little prefetch, never.
struct slow_first {
  std::int64_t count;
  std::latch* others;

  std::int64_t size() const { return count; }
  std::int64_t load(std::int64_t index) const {
    if (index == 0) {
      others->wait();
    } else if (!others->try_wait()) {
      others->count_down();
    }
    return index;
  }
};

TEST(LoaderTest, AsReadyASlowSampleHoldsBackOnlyItsBatch) {
  thread_pool pool(2);
  std::latch others(30);
  loader all(pool, slow_first{32, &others}, {.batch_size = 2, .prefetch = 2, .order = as_ready});
  indices seen;
  loader_state middle;
  const auto consume = [&](loaded_batch<indices> batch) {
    if (seen.empty()) middle = all.state();
    if (seen.size() < 28) {
      EXPECT_NE(batch->front(), 0);
    }
    seen.insert(seen.end(), batch->begin(), batch->end());
  };
  run(from(all) | for_each(consume));
  EXPECT_EQ(middle.next, 0);
  EXPECT_EQ(middle.ahead, indices{1});
  std::sort(seen.begin(), seen.end());
  indices wanted(32);
  for (std::int64_t i = 0; i < 32; ++i) wanted[static_cast<std::size_t>(i)] = i;
  EXPECT_EQ(seen, wanted);

  loader second(pool, tens{32}, {.batch_size = 2});
  second.resume(middle);
  batches rest = drain(second);
  EXPECT_EQ(rest.size(), 15U);
  EXPECT_EQ(rest[0], (indices{0, 10}));
  EXPECT_EQ(rest[1], (indices{40, 50})) << "batch 1 had been given out";
}

TEST(LoaderTest, StopsAtABadSampleInItsPlace) {
  thread_pool pool(2);
  loader all(pool, tens{20, {9, 10}}, {.batch_size = 4});
  EXPECT_EQ(**all.next_wait(), (indices{0, 10, 20, 30}));
  EXPECT_EQ(**all.next_wait(), (indices{40, 50, 60, 70}));
  for (int again = 0; again < 2; ++again) {
    try {
      all.next_wait();
      FAIL() << "no error";
    } catch (const load_error& failure) {
      EXPECT_EQ(failure.sample().index, 9);
      EXPECT_EQ(failure.sample().name, "file9");
      EXPECT_STREQ(failure.what(), "loader: file9: broken");
    }
  }
  EXPECT_EQ(all.state().next, 2);
}

TEST(LoaderTest, SkipsBadSamplesAndReportsThem) {
  thread_pool pool(2);
  loader all(pool, tens{10, {1, 4, 5, 6, 7}}, {.batch_size = 4, .on_error = bad_sample::skip});
  EXPECT_EQ(drain(all), (batches{{0, 20, 30}, {}, {80, 90}}));
  EXPECT_EQ(all.stats().errors, 5);
  EXPECT_EQ(all.stats().samples, 5);
  std::set<std::string> names;
  for (const failed_sample& failed : all.failures()) {
    names.insert(failed.name);
    EXPECT_EQ(failed.reason, "broken");
  }
  EXPECT_EQ(names, (std::set<std::string>{"file1", "file4", "file5", "file6", "file7"}));
}

TEST(LoaderTest, ReplacesBadSamplesTheSameWayForAnyThreadsAndRanks) {
  const tens source{40, {0, 7, 8, 9, 30}};
  const loader_options options = {
      .batch_size = 8, .shuffle = true, .seed = 4, .epochs = 2, .on_error = bad_sample::replace};
  thread_pool one(1);
  thread_pool three(3);
  const batches wanted = load(one, source, options);
  EXPECT_EQ(load(three, source, options), wanted);
  const indices all = flat(wanted);
  EXPECT_EQ(all.size(), 80U);
  for (const std::int64_t sample : all) EXPECT_FALSE(source.bad.contains(sample / 10));
  loader_options second_half = options;
  second_half.rank = 1;
  second_half.world = 2;
  const batches half = load(three, source, second_half);
  for (std::size_t i = 0; i < half.size(); ++i) {
    EXPECT_EQ(half[i], indices(wanted[i].begin() + 4, wanted[i].end()));
  }
}

TEST(LoaderTest, ReplaceGivesUpWhereEverySampleIsBad) {
  thread_pool pool(2);
  const auto first = [&] { load(pool, {3, {0, 1, 2}}, {.batch_size = 3, .on_error = bad_sample::replace}); };
  EXPECT_THROW(first(), load_error);
}

/// Writes into a batch of its own: the index, and a random number.
struct drawn {
  struct batch_type {
    indices samples;
    std::vector<double> draws;
  };
  std::int64_t size() const { return 30; }
  void prepare(batch_type& batch, std::int64_t samples) const {
    batch.samples.assign(static_cast<std::size_t>(samples), -1);
    batch.draws.resize(static_cast<std::size_t>(samples));
  }
  std::int64_t load(const sample_request& request, batch_type& batch) const {
    const auto row = static_cast<std::size_t>(request.row);
    batch.samples[row] = request.index;
    batch.draws[row] = request.random.uniform(0);
    return 3;
  }
};

TEST(LoaderTest, ASourceWritesIntoItsOwnBatchWithReproducibleRandomNumbers) {
  std::vector<std::vector<double>> runs;
  for (const int threads : {1, 3}) {
    thread_pool pool(threads);
    loader all(pool, drawn{}, {.batch_size = 8, .shuffle = true, .seed = 6, .epochs = 2});
    std::vector<double> draws;
    for (auto& batch : all) {
      EXPECT_EQ(batch->samples, batch.indices());
      draws.insert(draws.end(), batch->draws.begin(), batch->draws.end());
    }
    EXPECT_EQ(all.stats().bytes, 3 * 60);
    runs.push_back(draws);
  }
  EXPECT_EQ(runs[0], runs[1]);
  EXPECT_EQ(std::set<double>(runs[0].begin(), runs[0].end()).size(), 60U) << "repeated in the second epoch";
  thread_pool pool(1);
  EXPECT_THROW(loader(pool, drawn{}, {.on_error = bad_sample::skip}), invalid_argument) << "it has no keep()";
}

/// Loads its samples many at a time, ten times their indices, unless one of them is bad.
struct tens_together {
  using batch_type = indices;
  std::int64_t count = 0;
  std::set<std::int64_t> bad = {};
  std::atomic<std::int64_t>* together;

  std::int64_t size() const { return count; }
  void prepare(batch_type& batch, std::int64_t samples) const {
    batch.assign(static_cast<std::size_t>(samples), -1);
  }
  std::int64_t load(const sample_request& request, batch_type& batch) const {
    if (bad.contains(request.index)) throw std::runtime_error("broken");
    batch[static_cast<std::size_t>(request.row)] = 10 * request.index;
    return 1;
  }
  std::int64_t load_rows(const sample_rows& rows, batch_type& batch) const {
    const auto wanted = static_cast<std::int64_t>(rows.indices.size());
    for (std::int64_t i = 0; i < wanted; ++i) {
      const sample_request each = rows[i];
      const auto place = static_cast<std::uint64_t>(rows.position + i);
      EXPECT_EQ(each.random.word(0), philox(rows.seed, place).word(0));
      load(each, batch);
    }
    *together += wanted;
    return wanted;
  }
  void keep(batch_type& batch, std::span<const std::int64_t> rows) const {
    batch_type kept;
    for (const std::int64_t row : rows) kept.push_back(batch[static_cast<std::size_t>(row)]);
    batch = kept;
  }
};

TEST(LoaderTest, LoadsRowsTogetherAndThoseOfABadSampleOneByOne) {
  thread_pool pool(3);
  for (const bad_sample policy : {bad_sample::skip, bad_sample::replace}) {
    const loader_options options = {
        .batch_size = 8, .shuffle = true, .seed = 4, .epochs = 3, .on_error = policy};
    std::atomic<std::int64_t> together = 0;
    loader all(pool, tens_together{100, {0, 7, 8, 99}, &together}, options);
    EXPECT_EQ(drain(all), load(pool, {100, {0, 7, 8, 99}}, options));
    EXPECT_GT(together, 0);
    EXPECT_EQ(all.stats().errors, static_cast<std::int64_t>(all.failures().size()));
  }
  std::atomic<std::int64_t> together = 0;
  loader whole(pool, tens_together{100, {}, &together}, {.batch_size = 8, .epochs = 2});
  drain(whole);
  EXPECT_EQ(together, 200) << "some were loaded one by one";
  EXPECT_EQ(whole.stats().bytes, 200);
}

TEST(LoaderTest, DrawsByWeightForAnyThreadsAndRanksAndResumes) {
  std::vector<double> weights(40, 1.0);
  weights[3] = 100.0;
  weights[4] = 0.0;
  const loader_options options = {.batch_size = 8, .weights = weights, .seed = 5, .epochs = 3};
  const batches wanted = expected(40, 8, 3, sampler::weighted(weights, 5));
  thread_pool one(1);
  thread_pool three(3);
  EXPECT_EQ(load(one, {40}, options), wanted);
  EXPECT_EQ(load(three, {40}, options), wanted);
  loader first(one, tens{40}, options);
  batches seen;
  for (int i = 0; i < 7; ++i) seen.push_back(**first.next_wait());
  loader second(three, tens{40}, options);
  second.resume(first.state());
  for (auto& batch : second) seen.push_back(*batch);
  EXPECT_EQ(seen, wanted);
  EXPECT_THROW(load(one, {41}, options), invalid_argument);

  // A sample that comes twice in an epoch gets other random numbers each time.
  std::vector<double> always(30, 0.0);
  always[7] = 1.0;
  loader same(three, drawn{}, {.batch_size = 8, .weights = always, .seed = 5});
  std::set<double> draws;
  for (auto& batch : same) {
    EXPECT_EQ(batch.indices(), indices(static_cast<std::size_t>(batch.size()), 7));
    draws.insert(batch->draws.begin(), batch->draws.end());
  }
  EXPECT_EQ(draws.size(), 30U);
}

TEST(LoaderTest, GroupsAndLengthsForAnyThreadsAndRanksAndResumed) {
  std::vector<std::int32_t> groups;
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 0; i < 90; ++i) {
    groups.push_back(i % 9 == 0 ? 1 : 0);
    lengths.push_back(i * 31 % 90);
  }
  const std::vector<double> shares = {1.0, 3.0};
  const sampler natural = sampler::grouped(groups, {}, true, 5);
  const sampler mixed = sampler::grouped(groups, shares, true, 5);
  const sampler sorted = sampler::shuffled(90, 5).by_length(lengths, 9, 4);
  struct way {
    loader_options options;
    const sampler* order;
  };
  const loader_options plain = {.batch_size = 9, .shuffle = true, .seed = 5, .epochs = 3};
  std::vector<way> ways(3, {plain, &natural});
  ways[0].options.groups = groups;
  ways[1].options.groups = groups;
  ways[1].options.shares = shares;
  ways[1].order = &mixed;
  ways[2].options.lengths = lengths;
  ways[2].options.bucket_batches = 4;
  ways[2].order = &sorted;
  thread_pool one(1);
  thread_pool three(3);
  for (const way& each : ways) {
    const batches wanted = expected(90, 9, 3, *each.order);
    EXPECT_EQ(load(one, {90}, each.options), wanted);
    EXPECT_EQ(load(three, {90}, each.options), wanted);
    batches together(wanted.size());
    for (std::int64_t rank = 0; rank < 4; ++rank) {
      loader_options part = each.options;
      part.rank = rank;
      part.world = 4;
      const batches mine = load(three, {90}, part);
      for (std::size_t i = 0; i < mine.size(); ++i) {
        together[i].insert(together[i].end(), mine[i].begin(), mine[i].end());
      }
    }
    EXPECT_EQ(together, wanted);
    for (std::size_t stop = 0; stop < wanted.size(); stop += 4) {
      loader first(one, tens{90}, each.options);
      batches seen;
      for (std::size_t i = 0; i < stop; ++i) seen.push_back(**first.next_wait());
      loader second(three, tens{90}, each.options);
      second.resume(first.state());
      for (auto& batch : second) seen.push_back(*batch);
      EXPECT_EQ(seen, wanted);
    }
    // Every batch of the natural groups has one sample of the small one.
    for (const indices& batch : expected(90, 9, 1, natural)) {
      EXPECT_EQ(std::count_if(batch.begin(), batch.end(), [](auto value) { return value % 90 == 0; }), 1);
    }
  }
}

TEST(LoaderTest, ResumeRefusesOtherWeightsGroupsAndLengths) {
  thread_pool pool(1);
  const std::vector<double> halves(4, 0.5);
  std::vector<loader_options> ways(7, {.batch_size = 2, .seed = 1});
  ways[1].weights = halves;
  ways[2].weights = {0.5, 0.5, 0.5, 0.25};
  ways[3].groups = {0, 0, 1, 1};
  ways[4].groups = {0, 0, 1, 1};
  ways[4].shares = {1.0, 2.0};
  ways[5].lengths = {1, 2, 3, 4};
  ways[6].lengths = {1, 2, 3, 4};
  ways[6].bucket_batches = 2;
  for (std::size_t saved = 0; saved < ways.size(); ++saved) {
    const loader_state state = loader(pool, tens{4}, ways[saved]).state();
    for (std::size_t here = 0; here < ways.size(); ++here) {
      loader other(pool, tens{4}, ways[here]);
      if (here == saved) {
        EXPECT_NO_THROW(other.resume(state));
      } else {
        EXPECT_THROW(other.resume(state), invalid_argument) << saved << " in " << here;
      }
    }
  }
  const auto made = [&](loader_options options) { loader all(pool, tens{4}, std::move(options)); };
  loader_options both = ways[3];
  both.weights = halves;
  EXPECT_THROW(made(both), invalid_argument);
  EXPECT_THROW(made({.groups = {0}}), invalid_argument);
  EXPECT_THROW(made({.shares = {1.0}}), invalid_argument);
  EXPECT_THROW(made({.lengths = {1}}), invalid_argument);
  EXPECT_THROW(made({.lengths = {1, 2, 3, 4}, .bucket_batches = 0}), invalid_argument);
}

TEST(LoaderTest, UsesTheMemoryOfBatchesAgainAndABatchOutlivesTheLoader) {
  thread_pool pool(2);
  std::set<const std::int64_t*> places;
  std::optional<loaded_batch<indices>> last;
  {
    loader all(pool, tens{100}, {.batch_size = 1, .prefetch = 2});
    while (auto batch = all.next_wait()) {
      places.insert((*batch)->data());
      last = std::move(batch);
    }
    EXPECT_LE(places.size(), 6U);
  }
  EXPECT_EQ(**last, indices{990});
}

TEST(LoaderTest, MayBeUsedByACallOfItsOwnPool) {
  thread_pool pool(1);
  auto inside = pool.submit([&pool] { return load(pool, {9}, {.batch_size = 4}).size(); });
  EXPECT_EQ(inside.get(), 3U);
}

TEST(LoaderTest, FailsWhenThePoolDropsItsCalls) {
  thread_pool pool(1);
  std::latch entered(1);
  std::latch go(1);
  auto busy = pool.submit([&] {
    entered.count_down();
    go.wait();
  });
  entered.wait();
  loader all(pool, tens{9}, {.batch_size = 4});
  const auto take = [&]() -> task<> { co_await all.next(); };
  const auto drop = [&]() -> task<> {
    pool.cancel_queued();
    co_return;
  };
  const auto drop_and_wait = [&]() -> task<> {
    co_await with_task_group([&](task_group& group) -> task<> {
      group.spawn(take());
      group.spawn(drop());
      co_return;
    });
  };
  EXPECT_THROW(run(drop_and_wait()), cancelled);
  go.count_down();
  busy.get();
}

// Destroyed at every stage of its work; what is being loaded is waited for.
TEST(LoaderTest, MayBeDestroyedAtAnyTime) {
  thread_pool pool(3);
  for (int taken = 0; taken < 40; ++taken) {
    loader all(pool, tens{1000}, {.batch_size = 3, .shuffle = true, .prefetch = 3});
    for (int i = 0; i < taken; ++i) ASSERT_TRUE(all.next_wait());
  }
}

TEST(LoaderTest, ACancelledNextHasTakenNothing) {
  thread_pool pool(1);
  std::latch go(1);
  struct gated {
    std::latch* gate;
    std::int64_t size() const { return 4; }
    std::int64_t load(std::int64_t index) const {
      gate->wait();
      return index;
    }
  };
  loader all(pool, gated{&go}, {.batch_size = 2});
  const auto main = [&]() -> task<> {
    EXPECT_THROW(co_await timeout(all.next(), std::chrono::milliseconds(1)), timeout_error);
    go.count_down();
    auto batch = co_await all.next();
    EXPECT_EQ(**batch, (indices{0, 1}));
  };
  run(main());
}

}  // namespace loader_test
}  // namespace weft
