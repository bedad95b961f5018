#include <gtest/gtest.h>
#include <sys/resource.h>  // for ::setrlimit
#include <unistd.h>        // for ::geteuid
#include <weft/core/error.hpp>
#include <weft/data/cached.hpp>
#include <weft/data/sample_cache.hpp>

#include <data/test_files.hpp>

#include <atomic>      // for std::atomic
#include <csignal>     // for std::signal, SIGXFSZ
#include <filesystem>  // for std::filesystem::recursive_directory_iterator
#include <fstream>     // for std::fstream
#include <memory>      // for std::make_shared
#include <thread>      // for std::jthread

namespace weft {
namespace sample_cache_test {

namespace fs = std::filesystem;

test::bytes content_of(std::int64_t index, std::size_t size = 100) {
  return test::bytes(size, static_cast<std::uint8_t>(index));
}

/// In memory, and in a folder.
class SampleCacheTest : public testing::TestWithParam<bool> {
 protected:
  cache_options with(std::int64_t max_bytes) const {
    return {.max_bytes = max_bytes, .folder = GetParam() ? folder.path("cache") : ""};
  }

  test::scratch_folder folder;
};

TEST_P(SampleCacheTest, GivesBackWhatItKeptUpToTheLimit) {
  sample_cache cache(with(350));
  EXPECT_EQ(cache.find(0, "a"), nullptr);
  for (std::int64_t i = 0; i < 5; ++i) cache.keep(i, "a", content_of(i));
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_EQ(*cache.find(i, "a"), content_of(i));
  EXPECT_EQ(cache.find(4, "a"), nullptr);
  cache.keep(9, "a", content_of(9, 50));
  EXPECT_EQ(*cache.find(9, "a"), content_of(9, 50)) << "there was place for a smaller one";
  cache.keep(0, "a", content_of(7));
  EXPECT_EQ(*cache.find(0, "a"), content_of(0)) << "it was there already";
  const cache_stats stats = cache.stats();
  EXPECT_EQ(stats.hits, 5);
  EXPECT_EQ(stats.misses, 2);
  EXPECT_EQ(stats.bytes, 350);
  EXPECT_EQ(stats.full, 2);
  EXPECT_EQ(stats.write_errors + stats.damaged, 0);
  EXPECT_THROW(sample_cache(with(-1)), invalid_argument);
}

TEST_P(SampleCacheTest, AnotherNameIsAnotherSample) {
  sample_cache cache(with(1000));
  cache.keep(3, "old.jpg", content_of(3));
  EXPECT_EQ(cache.find(3, "new.jpg"), nullptr);
  EXPECT_EQ(cache.stats().damaged, 1);
  cache.keep(3, "new.jpg", content_of(4));
  EXPECT_EQ(*cache.find(3, "new.jpg"), content_of(4));
  EXPECT_EQ(cache.stats().bytes, 100);
}

TEST_P(SampleCacheTest, ManyThreadsAtTheSameTime) {
  sample_cache cache(with(40 * 100));
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&, thread] {
        for (std::int64_t i = 0; i < 300; ++i) {
          const std::int64_t index = (i * (thread + 1)) % 60;
          const auto found = cache.find(index, "a");
          if (found && *found != content_of(index)) ++wrong;
          if (!found) cache.keep(index, "a", content_of(index));
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
  const cache_stats stats = cache.stats();
  EXPECT_EQ(stats.bytes, 40 * 100);
  EXPECT_EQ(stats.hits + stats.misses, 1200);
  EXPECT_EQ(stats.damaged + stats.write_errors, 0);
}

INSTANTIATE_TEST_SUITE_P(InMemoryAndOnDisk, SampleCacheTest, testing::Bool(),
                         [](const auto& kind) { return kind.param ? "Disk" : "Memory"; });

/// The only entry's file.
fs::path entry_in(const std::string& folder) {
  for (const fs::directory_entry& each : fs::recursive_directory_iterator(folder)) {
    if (each.is_regular_file()) return each.path();
  }
  return {};
}

TEST(SampleCacheOnDiskTest, IsFoundByALaterRun) {
  const test::scratch_folder folder;
  const cache_options options = {.max_bytes = 250, .folder = folder.path("deep/cache")};
  sample_cache(options).keep(12'345, "a", content_of(1));
  sample_cache later(options);
  EXPECT_EQ(later.stats().bytes, 100);
  EXPECT_EQ(*later.find(12'345, "a"), content_of(1));
  later.keep(1, "a", content_of(1));
  later.keep(2, "a", content_of(2));
  EXPECT_EQ(later.stats().full, 1) << "what was there counts";
  EXPECT_THROW(sample_cache({.folder = folder.write("file", {1})}), io_error);
}

TEST(SampleCacheOnDiskTest, DamageAnywhereIsFound) {
  const test::scratch_folder folder;
  const cache_options options = {.folder = folder.path("cache")};
  for (std::streamoff at = 0; at < 132; ++at) {
    sample_cache cache(options);
    cache.keep(5, "a", content_of(5));
    ASSERT_EQ(*cache.find(5, "a"), content_of(5));
    {
      std::fstream file(entry_in(options.folder), std::ios::binary | std::ios::in | std::ios::out);
      file.seekg(at);
      const int before = file.get();
      file.seekp(at);
      file.put(static_cast<char>(before ^ 0x10));
    }
    EXPECT_EQ(cache.find(5, "a"), nullptr) << at;
    EXPECT_EQ(cache.stats().damaged, 1);
    cache.keep(5, "a", content_of(5));
    EXPECT_EQ(*cache.find(5, "a"), content_of(5)) << "it was not written anew";
  }
  sample_cache cache(options);
  for (const std::uintmax_t size : {131U, 40U, 10U, 0U}) {
    fs::resize_file(entry_in(options.folder), size);
    EXPECT_EQ(cache.find(5, "a"), nullptr);
    cache.keep(5, "a", content_of(5));
  }
  fs::remove(entry_in(options.folder));
  EXPECT_EQ(cache.find(5, "a"), nullptr);
  EXPECT_EQ(cache.stats().damaged, 5);
}

// As on a disk that is full: the last entry cannot be written whole.
TEST(SampleCacheOnDiskTest, GoesOnWithWhatItHasWhenNothingMoreCanBeWritten) {
  const test::scratch_folder folder;
  sample_cache cache({.folder = folder.path("cache")});
  cache.keep(1, "a", content_of(1));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  cache.keep(2, "a", content_of(2, 10'000));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  cache.keep(3, "a", content_of(3));
  EXPECT_EQ(cache.stats().write_errors, 2) << "and nothing was tried again";
  EXPECT_EQ(cache.stats().bytes, 100);
  EXPECT_EQ(*cache.find(1, "a"), content_of(1));
  EXPECT_EQ(cache.find(2, "a"), nullptr);
  int files = 0;
  for (const auto& each : fs::recursive_directory_iterator(folder.path("cache")))
    files += each.is_regular_file() ? 1 : 0;
  EXPECT_EQ(files, 1) << "half an entry was left behind";
}

/// Counts how often it is asked.
struct counted_waves {
  std::atomic<int>* loads;

  std::int64_t size() const { return 20; }
  std::vector<float> load(std::int64_t index) const {
    ++*loads;
    return std::vector<float>(static_cast<std::size_t>(index), 0.5F);
  }
};

TEST(SampleCacheOnDiskTest, ASourceIsAskedOnceForEverySample) {
  const test::scratch_folder folder;
  thread_pool pool(2);
  std::atomic<int> loads = 0;
  for (const bool again : {false, true}) {
    const auto cache = std::make_shared<sample_cache>(cache_options{.folder = folder.path("cache")});
    // One batch at a time: two threads that ask for a sample at the same time both load it.
    loader all(pool, cached_source(counted_waves{&loads}, cache),
               {.batch_size = 6, .shuffle = true, .epochs = 3, .prefetch = 1});
    for (auto& batch : all) {
      for (std::size_t i = 0; i < batch->size(); ++i) {
        EXPECT_EQ((*batch)[i], std::vector<float>(static_cast<std::size_t>(batch.indices()[i]), 0.5F));
      }
    }
    EXPECT_EQ(loads, 20);
    EXPECT_EQ(all.stats().cache.hits, again ? 60 : 40);
    EXPECT_EQ(all.stats().cache.misses, again ? 0 : 20);
  }
  EXPECT_THROW(cached_source(counted_waves{&loads}, nullptr), invalid_argument);
}

}  // namespace sample_cache_test
}  // namespace weft
