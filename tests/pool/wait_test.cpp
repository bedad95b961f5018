#include <weft/pool/wait.hpp>

#include <weft/async/run.hpp>
#include <weft/async/timeout.hpp>
#include <weft/pool/thread_pool.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <latch>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

namespace wait_test {

using namespace std::chrono_literals;
using weft::future;
using weft::return_when;
using weft::task;
using weft::thread_pool;
using places = std::vector<std::size_t>;

// A call that waits to be released, between two that need not; the one that fails is the last.
struct three_calls {
  explicit three_calls(thread_pool& pool) {
    calls.push_back(pool.submit([] { return 0; }));
    calls.push_back(pool.submit([this] {
      release.wait();
      return 1;
    }));
    calls.push_back(pool.submit([]() -> int { throw std::out_of_range("2"); }));
  }
  std::latch release{1};
  std::vector<future<int>> calls;
};

TEST(wait, for_all) {
  thread_pool pool(2);
  three_calls some(pool);
  std::thread releaser([&] { some.release.count_down(); });
  const auto [done, pending] = weft::wait(some.calls);
  releaser.join();
  EXPECT_EQ(done, (places{0, 1, 2}));
  EXPECT_TRUE(pending.empty());
  EXPECT_EQ(some.calls[1].get(), 1);
  EXPECT_THROW(some.calls[2].get(), std::out_of_range);
  EXPECT_TRUE(weft::wait(std::vector<future<int>>{}).done.empty());
}

TEST(wait, for_the_first_that_is_ready) {
  thread_pool pool(1);
  three_calls some(pool);  // one thread: the second holds it up until released
  const auto [done, pending] = weft::wait(some.calls, return_when::first_completed);
  EXPECT_EQ(done, places{0});
  EXPECT_EQ(pending, (places{1, 2}));
  some.release.count_down();
  EXPECT_EQ(weft::wait(some.calls).done.size(), 3U);
}

TEST(wait, for_the_first_that_failed) {
  thread_pool pool(2);
  three_calls some(pool);
  const auto [done, pending] = weft::wait(some.calls, return_when::first_exception);
  EXPECT_EQ(done, (places{0, 2}));
  EXPECT_EQ(pending, places{1});
  some.release.count_down();
  some.calls.pop_back();
  EXPECT_EQ(weft::wait(some.calls, return_when::first_exception).done, (places{0, 1})) << "nothing failed";
}

TEST(wait, at_most_so_long) {
  thread_pool pool(2);
  three_calls some(pool);
  const places pending = weft::wait(some.calls, 1ms).pending;
  EXPECT_EQ(std::count(pending.begin(), pending.end(), 1U), 1);
  some.release.count_down();
  EXPECT_TRUE(weft::wait(some.calls, 1h).pending.empty());
}

TEST(wait, on_the_only_thread_of_the_pool) {
  thread_pool pool(1);
  for (const auto when : {return_when::all, return_when::first_completed, return_when::first_exception}) {
    const auto done = pool.submit([&pool, when] {
                            std::vector<future<int>> calls;
                            for (int i = 0; i < 3; ++i) {
                              calls.push_back(pool.submit(
                                  [i]() -> int { return i == 1 ? throw std::out_of_range("1") : i; }));
                            }
                            return weft::wait(calls, when).done;
                          })
                          .get();
    EXPECT_EQ(done.size(), when == return_when::all ? 3U : when == return_when::first_completed ? 1U : 2U);
  }
}

TEST(wait, awaited) {
  thread_pool pool(2);
  three_calls some(pool);
  weft::run([](three_calls& three) -> task<> {
    const auto home = std::this_thread::get_id();
    const auto early = co_await weft::async_wait(three.calls, return_when::first_exception);
    EXPECT_EQ(std::this_thread::get_id(), home);
    EXPECT_EQ(early.pending, places{1});
    auto too_long = weft::timeout(weft::async_wait(three.calls), 1ms);
    EXPECT_THROW(co_await std::move(too_long), weft::timeout_error);
    three.release.count_down();
    const auto all = co_await weft::async_wait(three.calls);
    EXPECT_EQ(all.done.size(), 3U);
    EXPECT_EQ(co_await three.calls[1].async_get(), 1);
  }(some));
}

TEST(wait, survives_calls_that_finish_while_it_gives_up) {
  thread_pool pool(2);
  std::mt19937 random(3);
  for (int round = 0; round < 500; ++round) {
    std::vector<future<int>> calls;
    for (int i = 0; i < 8; ++i) {
      calls.push_back(pool.submit([turns = random() % 2000] {
        int sum = 0;
        for (unsigned turn = 0; turn < turns; ++turn) sum += static_cast<int>(turn ^ 5U);
        return sum;
      }));
    }
    const auto when = static_cast<return_when>(random() % 3);
    const auto first = weft::wait(calls, std::chrono::microseconds(random() % 50), when);
    EXPECT_EQ(first.done.size() + first.pending.size(), 8U);
    EXPECT_FALSE(weft::wait(calls, return_when::first_completed).done.empty());
    EXPECT_EQ(weft::wait(calls).done.size(), 8U);
  }
}

}  // namespace wait_test
