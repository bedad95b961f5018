#include <weft/pool/thread_pool.hpp>

#include <weft/async/gather.hpp>
#include <weft/async/queue.hpp>
#include <weft/async/run.hpp>
#include <weft/async/task_group.hpp>
#include <weft/async/timeout.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace thread_pool_test {

using namespace std::chrono_literals;
using weft::task;
using weft::thread_pool;

struct own_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

TEST(thread_pool, refuses_a_negative_number_of_threads_and_names_it) {
  try {
    const thread_pool pool(-3);
    FAIL() << "a pool of -3 threads was built";
  } catch (const weft::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("threads is -3"), std::string::npos) << error.what();
  }
  EXPECT_EQ(thread_pool(0).threads(), static_cast<int>(std::thread::hardware_concurrency()));
}

TEST(thread_pool, runs_calls_off_the_calling_thread_with_their_arguments) {
  thread_pool pool(2);
  auto sum = pool.submit([](int a, std::unique_ptr<int> b) { return a + *b; }, 2, std::make_unique<int>(3));
  EXPECT_EQ(sum.get(), 5);
  EXPECT_NE(pool.submit([] { return std::this_thread::get_id(); }).get(), std::this_thread::get_id());
  EXPECT_EQ(*pool.submit([] { return std::make_unique<int>(7); }).get(), 7);
  pool.submit([] {}).get();
}

TEST(thread_pool, has_as_many_threads_as_asked_even_beyond_the_cores) {
  constexpr int threads = 5;
  thread_pool pool(threads);
  std::latch all_here(threads);
  std::mutex mutex;
  std::set<int> indices;
  std::vector<weft::future<void>> calls;
  for (int i = 0; i < threads; ++i) {
    calls.push_back(pool.submit([&] {
      all_here.arrive_and_wait();  // passes only if all run at the same time
      const std::lock_guard lock(mutex);
      indices.insert(thread_pool::this_thread_index());
    }));
  }
  for (auto& call : calls) call.get();
  EXPECT_EQ(indices, (std::set<int>{0, 1, 2, 3, 4}));
  EXPECT_EQ(thread_pool::this_thread_index(), -1);
}

TEST(thread_pool, two_pools_do_not_take_each_others_threads) {
  thread_pool one(2);
  thread_pool other(3);
  std::latch all_here(5);
  std::vector<weft::future<void>> calls;
  for (int i = 0; i < 5; ++i) {
    calls.push_back((i < 2 ? one : other).submit([&] { all_here.arrive_and_wait(); }));
  }
  for (auto& call : calls) call.get();
}

TEST(thread_pool, exceptions_travel_with_their_type) {
  thread_pool pool(1);
  auto call = pool.submit([]() -> int { throw own_error("no luck"); });
  try {
    call.get();
    FAIL() << "nothing was thrown";
  } catch (const own_error& error) {
    EXPECT_STREQ(error.what(), "no luck");
  }
}

TEST(thread_pool, the_destructor_runs_what_is_queued) {
  std::atomic<int> ran{0};
  {
    thread_pool pool(1);
    for (int i = 0; i < 1000; ++i) pool.submit([&] { ++ran; });
  }
  EXPECT_EQ(ran.load(), 1000);
}

TEST(thread_pool, a_get_on_a_pool_thread_cannot_deadlock) {
  thread_pool pool(1);
  const int depth = pool.submit([&pool] {
                          auto inner = pool.submit([&pool] {
                            auto innermost = pool.submit([] { return 40; });
                            return innermost.get() + 1;
                          });
                          return inner.get() + 1;
                        })
                        .get();
  EXPECT_EQ(depth, 42);
}

TEST(thread_pool, a_tree_of_nested_gets_finishes) {
  thread_pool pool(2);
  struct tree {
    static int count(thread_pool& pool, int depth) {
      if (depth == 0) return 1;
      auto left = pool.submit(&count, std::ref(pool), depth - 1);
      auto right = pool.submit(&count, std::ref(pool), depth - 1);
      return left.get() + right.get();
    }
  };
  EXPECT_EQ(pool.submit(&tree::count, std::ref(pool), 10).get(), 1024);
}

TEST(thread_pool, map_keeps_the_order_and_uses_every_item_once) {
  thread_pool pool(2);
  std::vector<int> items(10000);
  std::iota(items.begin(), items.end(), 0);
  const std::vector<long> squares = pool.map([](int i) { return static_cast<long>(i) * i; }, items);
  ASSERT_EQ(squares.size(), items.size());
  for (int i = 0; i < 10000; ++i) ASSERT_EQ(squares[static_cast<std::size_t>(i)], static_cast<long>(i) * i);
  const std::vector<bool> even = pool.map([](int i) { return i % 2 == 0; }, items);
  for (int i = 0; i < 10000; ++i) ASSERT_EQ(even[static_cast<std::size_t>(i)], i % 2 == 0);
  EXPECT_TRUE(pool.map([](int i) { return i; }, std::vector<int>{}).empty());
  pool.map([](int& i) { i = -i; }, items);
  EXPECT_EQ(items[9], -9);
}

TEST(thread_pool, map_rethrows_and_the_pool_goes_on) {
  thread_pool pool(2);
  const std::vector<int> items(1000, 1);
  EXPECT_THROW(pool.map([](int) -> int { throw own_error("one of them"); }, items), own_error);
  EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
}

TEST(thread_pool, for_range_nests_inside_a_pool_thread) {
  thread_pool pool(2);
  std::vector<std::atomic<int>> hits(300);
  pool.submit([&] {
        pool.for_range(0, 10, [&](std::int64_t row) {
          pool.for_range(0, 30,
                         [&](std::int64_t column) { ++hits[static_cast<std::size_t>(row * 30 + column)]; });
        });
      })
      .get();
  for (const auto& hit : hits) EXPECT_EQ(hit.load(), 1);
}

TEST(thread_pool, run_resumes_on_the_awaiting_coroutines_executor) {
  thread_pool pool(2);
  weft::run([](thread_pool& workers) -> task<> {
    const auto home = std::this_thread::get_id();
    for (int i = 0; i < 100; ++i) {
      const auto there = co_await workers.run([] { return std::this_thread::get_id(); });
      EXPECT_NE(there, home);
      EXPECT_EQ(std::this_thread::get_id(), home);
    }
    EXPECT_THROW(co_await workers.run([] { throw own_error("x"); }), own_error);
    const auto [a, b] = co_await weft::gather(workers.run([] { return 1; }), workers.run([] { return 2; }));
    EXPECT_EQ(a + b, 3);
  }(pool));
}

TEST(thread_pool, a_cancelled_run_that_waits_for_a_thread_never_starts) {
  thread_pool pool(1);
  std::latch release(1);
  auto blocker = pool.submit([&] { release.wait(); });
  bool started = false;
  weft::run([](thread_pool& workers, bool& flag) -> task<> {
    auto work = workers.run([&flag] { flag = true; });
    EXPECT_THROW(co_await weft::timeout(std::move(work), 1ms), weft::timeout_error);
  }(pool, started));
  release.count_down();
  blocker.get();
  pool.submit([] {}).get();
  EXPECT_FALSE(started);
}

TEST(thread_pool, a_cancelled_run_that_has_started_is_waited_for) {
  thread_pool pool(1);
  weft::queue<int> started(1);
  weft::queue<int> go(1);
  std::atomic<bool> finished{false};
  bool threw = false;
  weft::run([](thread_pool& workers, weft::queue<int>& begun, weft::queue<int>& gate, std::atomic<bool>& flag,
               bool& cancelled) -> task<> {
    auto call = [&]() -> task<> {
      try {
        co_await workers.run([&] {
          begun.push_wait(1);
          gate.pop_wait();
          flag = true;
        });
      } catch (const weft::cancelled&) {
        cancelled = true;
      }
    };
    co_await weft::with_task_group([&](weft::task_group& group) -> task<> {
      group.spawn(call());
      co_await begun.pop();
      const auto loop = co_await boost::asio::this_coro::executor;
      group.cancel();
      boost::asio::post(loop, [&] { gate.push_wait(1); });  // after the cancellation, which is posted too
    });
    EXPECT_TRUE(flag.load());
  }(pool, started, go, finished, threw));
  EXPECT_TRUE(threw);
}

TEST(thread_pool, many_threads_submit_at_once) {
  thread_pool pool(2);
  std::atomic<long> sum{0};
  std::vector<std::thread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&, client] {
      std::mt19937 random(static_cast<unsigned>(client));
      std::vector<weft::future<int>> pending;
      for (int i = 0; i < 2000; ++i) {
        pending.push_back(pool.submit([&sum, i] {
          sum += i;
          return i;
        }));
        if (random() % 3 == 0) {
          auto& last = pending.back();
          EXPECT_EQ(last.get(), i);
          pending.pop_back();
        }
      }
      for (auto& each : pending) each.wait();
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(sum.load(), 4L * 2000 * 1999 / 2);
}

}  // namespace thread_pool_test
