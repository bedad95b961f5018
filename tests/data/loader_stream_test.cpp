#include <gtest/gtest.h>
#include <weft/async/queue.hpp>
#include <weft/async/run.hpp>
#include <weft/async/stream/from.hpp>
#include <weft/async/stream/sinks.hpp>
#include <weft/data/loader.hpp>
#include <weft/data/tar.hpp>

#include <data/test_files.hpp>
#include <data/test_tar.hpp>

#include <algorithm>   // for std::max, std::min, std::sort
#include <functional>  // for std::function
#include <latch>       // for std::latch
#include <numeric>     // for std::iota
#include <stdexcept>   // for std::runtime_error
#include <string>      // for std::string, std::to_string

namespace weft {
namespace loader_stream_test {

using numbers = std::vector<std::int64_t>;
using batches = std::vector<numbers>;

/// A source that a user writes in a few lines, of samples without places: 0, 1, ... up to `count`.
struct counter {
  std::int64_t count;
  std::int64_t bad = -1;  // where reading fails
  std::int64_t at = 0;

  std::optional<std::int64_t> next() {
    if (at == bad) throw std::runtime_error("the line is dead");
    std::optional<std::int64_t> sample;
    if (at < count) sample = at++;
    return sample;
  }
};

/// The same, of which threads make something else, unless it is one of `bad`.
struct decoded {
  counter from;
  numbers bad = {};

  std::optional<std::int64_t> next() { return from.next(); }
  std::string load(const sample_request& request, std::int64_t& sample) const {
    if (std::find(bad.begin(), bad.end(), sample) != bad.end()) throw std::runtime_error("broken");
    return std::to_string(10 * sample) + (request.index == sample ? "" : " in another place");
  }
};

static_assert(iterable_source<counter> && iterable_source<decoded> && iterable_source<tar_reader>);
static_assert(!sample_source<counter> && !iterable_source<tar_shards>);

template <class Source>
auto drain(loader<Source>& from) {
  std::vector<typename loader<Source>::batch_type> all;
  for (auto& batch : from) all.push_back(*batch);
  return all;
}

batches load(thread_pool& pool, std::int64_t samples, const loader_options& options) {
  loader all(pool, counter{samples}, options);
  return drain(all);
}

numbers flat(const batches& parts) {
  numbers all;
  for (const numbers& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

TEST(LoaderStreamTest, CutsASourceWithoutSizeForAnyThreadsAndPrefetch) {
  for (const int threads : {1, 2, 4}) {
    thread_pool pool(threads);
    for (const int prefetch : {1, 2, 7}) {
      const loader_options options = {.batch_size = 2, .prefetch = prefetch};
      EXPECT_EQ(load(pool, 0, options), batches{});
      EXPECT_EQ(load(pool, 4, options), (batches{{0, 1}, {2, 3}}));
      EXPECT_EQ(load(pool, 5, options), (batches{{0, 1}, {2, 3}, {4}}));
      loader_options whole = options;
      whole.drop_last = true;
      EXPECT_EQ(load(pool, 5, whole), (batches{{0, 1}, {2, 3}}));
      EXPECT_EQ(load(pool, 1, whole), batches{});
    }
  }
}

TEST(LoaderStreamTest, IsAStreamToo) {
  thread_pool pool(2);
  loader all(pool, counter{50}, {.batch_size = 7});
  numbers seen;
  const auto keep = [&](loaded_batch<numbers> batch) {
    EXPECT_EQ(batch.indices(), *batch);
    EXPECT_EQ(batch.number() * 7, batch->front());
    seen.insert(seen.end(), batch->begin(), batch->end());
  };
  run(from(all) | for_each(keep));
  numbers wanted(50);
  std::iota(wanted.begin(), wanted.end(), 0);
  EXPECT_EQ(seen, wanted);
  EXPECT_EQ(all.stats().samples, 50);
  EXPECT_GT(all.stats().reading, 0.0);
}

// For any number of samples, ranks and batches passed over: together, what one process has.
TEST(LoaderStreamTest, RanksTogetherHaveEverySampleOnceAndGoOnAnywhere) {
  constexpr std::int64_t batch_size = 5;
  thread_pool pool(2);
  for (const std::int64_t samples : {0, 1, 4, 5, 6, 13, 20}) {
    for (const bool drop_last : {false, true}) {
      for (const bool shuffle : {false, true}) {
        const loader_options whole = {.batch_size = batch_size,
                                      .shuffle = shuffle,
                                      .shuffle_buffer = shuffle ? 4 : 0,
                                      .seed = 3,
                                      .drop_last = drop_last};
        const batches wanted = load(pool, samples, whole);
        ASSERT_EQ(static_cast<std::int64_t>(wanted.size()), (samples + (drop_last ? 0 : 4)) / 5);
        for (std::int64_t next = 0; next < 5; ++next) {
          loader_state where = loader(pool, counter{samples}, whole).state();
          where.next = next;
          for (std::int64_t world = 1; world <= batch_size; ++world) {
            batches together(wanted.size() - std::min(wanted.size(), static_cast<std::size_t>(next)));
            for (std::int64_t rank = 0; rank < world; ++rank) {
              loader_options part = whole;
              part.rank = rank;
              part.world = world;
              loader mine(pool, counter{samples}, part);
              mine.resume(where);
              const batches parts = drain(mine);
              ASSERT_EQ(parts.size(), together.size()) << "every rank has as many";
              for (std::size_t i = 0; i < parts.size(); ++i) {
                together[i].insert(together[i].end(), parts[i].begin(), parts[i].end());
              }
            }
            ASSERT_TRUE(std::equal(together.rbegin(), together.rend(), wanted.rbegin()));
          }
        }
      }
    }
  }
}

TEST(LoaderStreamTest, ShufflesWithinItsBufferBySeed) {
  thread_pool one(1);
  thread_pool three(3);
  const loader_options options = {.batch_size = 8, .shuffle = true, .shuffle_buffer = 20, .seed = 1};
  const batches first = load(one, 100, options);
  EXPECT_EQ(load(three, 100, options), first);
  loader_options other = options;
  other.seed = 2;
  EXPECT_NE(load(one, 100, other), first);
  numbers all = flat(first);
  for (std::size_t place = 0; place < all.size(); ++place) {
    EXPECT_LT(all[place], static_cast<std::int64_t>(place) + 20) << "it cannot have been read yet";
  }
  numbers wanted(100);
  std::iota(wanted.begin(), wanted.end(), 0);
  EXPECT_NE(all, wanted);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, wanted);
}

TEST(LoaderStreamTest, ResumesWhereAnotherLoaderStopped) {
  thread_pool two(2);
  thread_pool three(3);
  const loader_options options = {.batch_size = 4, .shuffle = true, .shuffle_buffer = 9, .seed = 2};
  const batches wanted = load(two, 41, options);
  for (std::size_t stop = 0; stop <= wanted.size(); ++stop) {
    loader first(two, counter{41}, options);
    batches seen;
    for (std::size_t i = 0; i < stop; ++i) seen.push_back(**first.next_wait());
    loader second(three, counter{41}, options);
    second.resume(first.state());
    for (auto& batch : second) seen.push_back(*batch);
    EXPECT_EQ(seen, wanted) << "stopped after " << stop;
  }
  loader_state far = loader(two, counter{41}, options).state();
  far.next = std::int64_t{1} << 60;
  loader behind(two, counter{41}, options);
  behind.resume(far);
  EXPECT_FALSE(behind.next_wait()) << "the source has ended long before";
  loader_options other = options;
  other.shuffle_buffer = 10;
  loader mixed(two, counter{41}, other);
  EXPECT_THROW(mixed.resume(far), invalid_argument);
}

TEST(LoaderStreamTest, ThreadsLoadWhatOneReadsAndBadSamplesAreSkipped) {
  thread_pool pool(3);
  loader all(pool, decoded{{10}, {1, 4, 5, 6, 7}}, {.batch_size = 4, .on_error = bad_sample::skip});
  using texts = std::vector<std::string>;
  EXPECT_EQ(drain(all), (std::vector<texts>{{"0", "20", "30"}, {}, {"80", "90"}}));
  EXPECT_EQ(all.stats().errors, 5);
  EXPECT_EQ(all.failures().at(0).reason, "broken");

  loader stops(pool, decoded{{10}, {9}}, {.batch_size = 4});
  EXPECT_EQ((**stops.next_wait()).front(), "0");
  EXPECT_EQ((**stops.next_wait()).front(), "40");
  EXPECT_THROW(stops.next_wait(), load_error);
}

TEST(LoaderStreamTest, AReadingErrorStopsItInItsPlace) {
  thread_pool pool(2);
  loader all(pool, counter{20, 6}, {.batch_size = 4, .on_error = bad_sample::skip});
  EXPECT_EQ(**all.next_wait(), (numbers{0, 1, 2, 3}));
  for (int again = 0; again < 2; ++again) {
    try {
      all.next_wait();
      FAIL() << "no error";
    } catch (const load_error& failure) {
      EXPECT_EQ(failure.sample().index, 6);
      EXPECT_STREQ(failure.what(), "loader: sample 6: the line is dead");
    }
  }
  EXPECT_EQ(all.state().next, 1);
  EXPECT_EQ(all.stats().errors, 1);
}

TEST(LoaderStreamTest, OptionsThatNeedPlaces) {
  thread_pool pool(1);
  const auto refused = [&](const loader_options& options, const char* what) {
    try {
      loader all(pool, counter{1}, options);
      ADD_FAILURE() << what;
    } catch (const invalid_argument& failure) {
      EXPECT_NE(std::string(failure.what()).find(what), std::string::npos) << failure.what();
    }
  };
  refused({.batch_size = 0}, "batch_size is 0");
  refused({.shuffle = true}, "shuffle_buffer is 0");
  refused({.weights = {1.0}}, "weights needs a source with size()");
  refused({.groups = {0}}, "groups needs");
  refused({.shares = {1.0}}, "shares needs");
  refused({.lengths = {1}}, "lengths needs");
  refused({.epochs = 2}, "epochs is 2");
  refused({.read_ahead = 1}, "read_ahead needs");
  refused({.on_error = bad_sample::replace}, "on_error = replace needs");
  struct sized {
    std::int64_t size() const { return 3; }
    std::int64_t load(std::int64_t index) const { return index; }
  };
  EXPECT_THROW(loader(pool, sized{}, {.shuffle_buffer = 2}), invalid_argument);
  loader_state where = loader(pool, sized{}).state();
  loader stream(pool, counter{3});
  EXPECT_THROW(stream.resume(where), invalid_argument);
}

/// Waits for what others push, in coroutines or threads.
struct pushed {
  queue<std::int64_t>* items;
  std::latch* asked;

  std::optional<std::int64_t> next() {
    if (!asked->try_wait()) asked->count_down();
    return items->pop_wait();
  }
  void stop() { items->close(); }
};

TEST(LoaderStreamTest, TakesWhatAQueueBringsAndDoesNotHangOnOneThatIsSilent) {
  thread_pool pool(2);
  queue<std::int64_t> items(3);
  std::latch asked(1);
  const auto produce = [&]() -> task<void> {
    for (std::int64_t i = 0; i < 10; ++i) co_await items.push(i);
  };
  const auto take = [&]() -> task<void> {
    loader all(pool, pushed{&items, &asked}, {.batch_size = 5});
    for (std::int64_t i = 0; i < 2; ++i) {
      const auto batch = co_await all.next();
      EXPECT_EQ((**batch).front(), 5 * i);
    }
    asked.wait();
  };  // the queue is open: a next() may be waiting
  run([&]() -> task<void> { co_await gather(produce(), take()); }());
  EXPECT_TRUE(items.closed());
}

/// Writes into a batch of its own.
struct rows {
  struct batch_type {
    numbers values;
    bool finished = false;
  };
  counter from;

  std::optional<std::int64_t> next() { return from.next(); }
  void prepare(batch_type& batch, std::int64_t samples) const {
    batch.values.assign(static_cast<std::size_t>(samples), -1);
    batch.finished = false;
  }
  std::int64_t load(const sample_request& request, std::int64_t& sample, batch_type& batch) const {
    batch.values[static_cast<std::size_t>(request.row)] = sample * sample;
    return 3;
  }
  void finish(batch_type& batch) const { batch.finished = true; }
};

TEST(LoaderStreamTest, ASourceWritesIntoItsOwnBatch) {
  thread_pool pool(2);
  loader all(pool, rows{{7}}, {.batch_size = 4});
  const auto first = all.next_wait();
  EXPECT_EQ((*first)->values, (numbers{0, 1, 4, 9}));
  EXPECT_TRUE((*first)->finished);
  const auto second = all.next_wait();
  EXPECT_EQ((*second)->values, (numbers{16, 25, 36}));
  EXPECT_FALSE(all.next_wait());
  EXPECT_EQ(all.stats().bytes, 21);
  EXPECT_THROW(loader(pool, rows{{7}}, {.on_error = bad_sample::skip}), invalid_argument) << "no keep()";
}

TEST(LoaderStreamTest, ReadsACompressedShard) {
  test::named_files files;
  for (int i = 0; i < 9; ++i) files.push_back({std::to_string(i) + ".cls", {static_cast<std::uint8_t>(i)}});
  const test::scratch_folder folder;
  const std::string path = folder.write("a.tar.gz", test::tar(files, test::compression::gzip));
  thread_pool pool(2);
  loader all(pool, tar_reader(path), {.batch_size = 4});
  int next = 0;
  for (auto& batch : all) {
    for (const shard_sample& sample : *batch)
      EXPECT_EQ(sample.at("cls"), test::bytes{static_cast<std::uint8_t>(next++)});
  }
  EXPECT_EQ(next, 9);
}

}  // namespace loader_stream_test
}  // namespace weft
