#include <weft/pool/thread_pool.hpp>

#include <weft/async/gather.hpp>
#include <weft/async/run.hpp>
#include <weft/pool/as_completed.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <latch>
#include <numeric>
#include <random>
#include <span>
#include <thread>
#include <vector>

// A pool's thread that waits for the pool: each of these hangs where waiting only waits.
namespace thread_pool_nested_test {

using weft::task;
using weft::thread_pool;

TEST(nested_use, a_call_that_submits_and_gets_on_the_only_thread) {
  thread_pool pool(1);
  std::vector<int> sums = pool.map(
      [&pool](int n) {
        std::vector<weft::future<int>> parts;
        for (int i = 0; i < n; ++i) parts.push_back(pool.submit([i] { return i; }));
        int sum = 0;
        for (auto part = parts.rbegin(); part != parts.rend(); ++part) sum += part->get();
        return sum;
      },
      std::vector<int>{3, 10, 100});
  EXPECT_EQ(sums, (std::vector<int>{3, 45, 4950}));
}

TEST(nested_use, a_get_inside_a_loop_on_every_thread_of_the_pool) {
  for (const int threads : {1, 2, 3}) {
    thread_pool pool(threads);
    std::atomic<int> sum{0};
    const auto body = [&](std::int64_t i) { sum += pool.submit([i] { return static_cast<int>(i); }).get(); };
    pool.for_range(0, 200, body);                              // from a thread that is not the pool's
    pool.submit([&] { pool.for_range(0, 200, body); }).get();  // and from one that is
    EXPECT_EQ(sum.load(), 2 * 19900);
  }
}

TEST(nested_use, a_loop_does_not_wait_for_threads_that_are_busy) {
  thread_pool pool(2);
  std::latch begun(2);
  std::latch release(1);
  const auto block = [&] {
    begun.count_down();
    release.wait();
  };
  auto one = pool.submit(block);
  auto other = pool.submit(block);
  begun.wait();
  std::atomic<int> hits{0};
  pool.for_range(0, 1000, [&](std::int64_t) { ++hits; });
  EXPECT_EQ(hits.load(), 1000);
  EXPECT_EQ(pool.queued(), 0U) << "invitations that nobody can follow were left in the queue";
  release.count_down();
  one.get();
  other.get();
}

TEST(nested_use, gets_across_two_pools_of_one_thread) {
  thread_pool one(1);
  thread_pool other(1);
  std::latch both_busy(2);
  // Each pool's only thread waits for a call of the other's.
  const auto ask = [&](thread_pool& whom, int value) {
    both_busy.arrive_and_wait();
    return whom.submit([value] { return value; }).get();
  };
  auto a = one.submit(ask, std::ref(other), 1);
  auto b = other.submit(ask, std::ref(one), 2);
  EXPECT_EQ(a.get() + b.get(), 3);
}

TEST(nested_use, loops_across_two_pools_of_one_thread) {
  thread_pool one(1);
  thread_pool other(1);
  std::latch both_busy(2);
  std::atomic<int> hits{0};
  const auto loop = [&](thread_pool& where) {
    both_busy.arrive_and_wait();
    where.for_range(0, 50, [&](std::int64_t) { ++hits; });
  };
  auto a = one.submit(loop, std::ref(other));
  auto b = other.submit(loop, std::ref(one));
  a.get();
  b.get();
  EXPECT_EQ(hits.load(), 100);
}

TEST(nested_use, as_completed_on_the_only_thread) {
  thread_pool pool(1);
  const int sum = pool.submit([&pool] {
                        std::vector<weft::future<int>> calls;
                        for (int i = 0; i < 10; ++i) calls.push_back(pool.submit([i] { return i; }));
                        int all = 0;
                        for (auto& done : weft::as_completed<int>(std::move(calls))) all += done.get();
                        return all;
                      })
                      .get();
  EXPECT_EQ(sum, 45);
}

TEST(nested_use, an_event_loop_inside_a_call_awaits_the_same_pool) {
  thread_pool pool(1);
  const int sum = pool.submit([&pool] {
                        return weft::run([](thread_pool& workers) -> task<int> {
                          const auto [a, b] = co_await weft::gather(workers.run([] { return 1; }),
                                                                    workers.run([] { return 2; }));
                          const std::vector<int> items{1, 2};
                          const std::vector<int> mapped =
                              co_await workers.async_map([](int i) { return 10 * i; }, std::span(items));
                          co_return a + b + mapped[0] + mapped[1];
                        }(pool));
                      })
                      .get();
  EXPECT_EQ(sum, 33);
}

TEST(nested_use, random_trees_of_calls_and_loops_over_two_pools_finish) {
  thread_pool one(1);
  thread_pool other(2);
  struct tree {
    thread_pool& here;
    thread_pool& there;

    // The sum of 2^depth leaves.
    int count(int depth, unsigned seed) const {
      if (depth == 0) return 1;
      std::mt19937 random(seed);
      const tree swapped{there, here};
      const tree& next = random() % 2 == 0 ? *this : swapped;
      const unsigned left_seed = random();
      const unsigned right_seed = random();
      if (random() % 3 == 0) {
        std::atomic<int> sum{0};
        here.for_range(
            0, 2, [&](std::int64_t i) { sum += next.count(depth - 1, i == 0 ? left_seed : right_seed); });
        return sum;
      }
      auto left = here.submit([=] { return next.count(depth - 1, left_seed); });
      auto right = there.submit([=] { return next.count(depth - 1, right_seed); });
      return right.get() + left.get();
    }
  };
  for (unsigned seed = 0; seed < 20; ++seed) {
    const tree whole{one, other};
    EXPECT_EQ(one.submit([&] { return whole.count(8, seed); }).get(), 256);
  }
}

}  // namespace thread_pool_nested_test
