#include <weft/pool/thread_pool.hpp>

#include <weft/async/run.hpp>
#include <weft/async/stream.hpp>
#include <weft/pool/as_completed.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

namespace stream_on_pool_test {

std::vector<int> numbers(int count) {
  std::vector<int> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return values;
}

TEST(stream_on_pool, maps_on_the_threads_of_the_pool) {
  weft::thread_pool pool(2);
  const auto work = [](int i) { return std::pair(i, weft::thread_pool::this_thread_index()); };
  const auto out = weft::run<std::vector<std::pair<int, int>>>(weft::from(numbers(2000)) |
                                                               weft::map(pool, work) | weft::collect());
  ASSERT_EQ(out.size(), 2000U);
  for (int i = 0; i < 2000; ++i) {
    EXPECT_EQ(out[static_cast<std::size_t>(i)].first, i);
    EXPECT_GE(out[static_cast<std::size_t>(i)].second, 0);
  }
}

TEST(stream_on_pool, as_ready_gives_every_result_once) {
  weft::thread_pool pool(3);
  const auto work = [](int i) { return i; };
  const weft::map_options options{.concurrency = 3, .order = weft::as_ready, .buffer = 7};
  auto out = weft::run<std::vector<int>>(weft::from(numbers(5000)) | weft::map(pool, work, options) |
                                         weft::prefetch(5) | weft::collect());
  std::sort(out.begin(), out.end());
  EXPECT_EQ(out, numbers(5000));
}

TEST(stream_on_pool, an_error_stops_the_pipeline_and_the_pool_goes_on) {
  weft::thread_pool pool(2);
  const auto work = [](int i) {
    if (i == 100) throw std::out_of_range("no such sample");
    return i;
  };
  try {
    weft::run<std::vector<int>>(weft::from(numbers(1000)) | weft::map(pool, work) | weft::named("decode") |
                                weft::collect());
    FAIL() << "must throw";
  } catch (const weft::stage_error& error) {
    EXPECT_EQ(error.stage(), "decode");
    EXPECT_TRUE(error.caused_by<std::out_of_range>());
  }
  EXPECT_EQ(pool.submit([] { return 7; }).get(), 7);
}

TEST(stream_on_pool, as_completed_is_a_source) {
  weft::thread_pool pool(2);
  std::vector<weft::future<int>> calls;
  for (int i = 0; i < 20; ++i) calls.push_back(pool.submit([i] { return i; }));
  const auto get = [](weft::future<int> done) { return done.get(); };
  auto out = weft::run<std::vector<int>>(weft::from(weft::as_completed<int>(std::move(calls))) |
                                         weft::map(get) | weft::collect());
  std::sort(out.begin(), out.end());
  EXPECT_EQ(out, numbers(20));
}

}  // namespace stream_on_pool_test
