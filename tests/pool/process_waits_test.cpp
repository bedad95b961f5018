#include <weft/pool/process_pool.hpp>

#include "processes.hpp"

#include <weft/async/run.hpp>
#include <weft/async/stream/from.hpp>
#include <weft/async/stream/map.hpp>
#include <weft/async/stream/sinks.hpp>
#include <weft/async/timeout.hpp>
#include <weft/pool/as_completed.hpp>
#include <weft/pool/wait.hpp>

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <vector>

// Waiting for several calls of worker processes at once.

namespace process_waits_test {

using namespace std::chrono_literals;
using weft::future;
using weft::process_pool;
using weft::return_when;
using places = std::vector<std::size_t>;

int same(int i) {
  return i;
}
int refuse(int i) {
  throw std::out_of_range(std::to_string(i));
}
int crash(int) {
  return ::raise(SIGKILL);
}

/// One that is quick and one that waits to be let through.
struct two_calls {
  explicit two_calls(process_pool& pool) {
    calls.push_back(pool.submit<&same>(0));
    calls.push_back(pool.submit<&wait_at_gate>(::getpid(), closed.descriptor(), 1));
  }
  gate closed;
  std::vector<future<int>> calls;
};

TEST(process_waits, for_the_first_and_for_all) {
  process_pool pool({.workers = 2});
  two_calls some(pool);
  const auto first = weft::wait(some.calls, return_when::first_completed);
  EXPECT_EQ(first.done, places{0});
  EXPECT_EQ(first.pending, places{1});
  EXPECT_EQ(weft::wait(some.calls, 1ms).pending, places{1});
  some.closed.open();
  EXPECT_EQ(weft::wait(some.calls).done, (places{0, 1}));
  EXPECT_EQ(some.calls[1].get(), 1);
}

TEST(process_waits, for_the_first_that_throws_or_dies) {
  process_pool pool({.workers = 2});
  for (const bool dies : {false, true}) {
    two_calls some(pool);
    some.calls.front().wait();
    some.calls.push_back(dies ? pool.submit<&crash>(2) : pool.submit<&refuse>(2));
    const auto early = weft::wait(some.calls, return_when::first_exception);
    EXPECT_EQ(early.pending, places{1});
    some.closed.open();
    EXPECT_EQ(weft::wait(some.calls).done.size(), 3U);
    if (dies) {
      EXPECT_THROW(some.calls[2].get(), weft::worker_died);
    } else {
      EXPECT_THROW(some.calls[2].get(), std::out_of_range);
    }
  }
}

TEST(process_waits, awaited) {
  process_pool pool({.workers = 2});
  two_calls some(pool);
  some.calls.front().wait();
  some.calls.push_back(pool.submit<&crash>(2));
  weft::run([](two_calls& set) -> weft::task<> {
    const auto early = co_await weft::async_wait(set.calls, return_when::first_exception);
    EXPECT_EQ(early.pending, places{1});
    auto too_long = weft::timeout(weft::async_wait(set.calls), 1ms);
    EXPECT_THROW(co_await std::move(too_long), weft::timeout_error);
    set.closed.open();
    const auto all = co_await weft::async_wait(set.calls);
    EXPECT_EQ(all.done.size(), 3U);
    EXPECT_EQ(co_await set.calls[1].async_get(), 1);
  }(some));
}

TEST(process_waits, as_completed_is_a_stream_of_results_and_deaths) {
  process_pool pool({.workers = 2});
  gate last;
  std::vector<future<int>> calls;
  calls.push_back(pool.submit<&wait_at_gate>(::getpid(), last.descriptor(), 100));
  for (int i = 0; i < 40; ++i) calls.push_back(i == 20 ? pool.submit<&crash>(i) : pool.submit<&same>(i));
  const auto get = [&last, left = calls.size()](future<int> done) mutable {
    if (--left == 1) last.open();  // only the first that was submitted is missing
    try {
      return done.get();
    } catch (const weft::worker_died&) {
      return -1;
    }
  };
  auto out = weft::run<std::vector<int>>(weft::from(weft::as_completed<int>(std::move(calls))) |
                                         weft::map(get) | weft::collect());
  ASSERT_EQ(out.size(), 41U);
  EXPECT_EQ(out.back(), 100);
  out.pop_back();
  std::sort(out.begin(), out.end());
  EXPECT_EQ(std::unique(out.begin(), out.end()), out.end());
  EXPECT_EQ(out.front(), -1);
  EXPECT_FALSE(std::binary_search(out.begin(), out.end(), 20));
}

}  // namespace process_waits_test
