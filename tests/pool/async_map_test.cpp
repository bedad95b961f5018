#include <weft/pool/thread_pool.hpp>

#include <weft/async/queue.hpp>
#include <weft/async/run.hpp>
#include <weft/async/task_group.hpp>
#include <weft/async/timeout.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace async_map_test {

using namespace std::chrono_literals;
using weft::task;
using weft::thread_pool;

std::vector<int> numbers(int count) {
  std::vector<int> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return values;
}

TEST(async_map, gives_the_results_in_order_and_resumes_on_the_coroutines_executor) {
  thread_pool pool(3);
  weft::run([](thread_pool& workers) -> task<> {
    const auto home = std::this_thread::get_id();
    const std::vector<std::string> texts =
        co_await workers.async_map([](int i) { return std::to_string(i); }, numbers(5000));
    EXPECT_EQ(std::this_thread::get_id(), home);
    EXPECT_EQ(texts.size(), 5000U);
    for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(texts[i], std::to_string(i));
    const std::vector<bool> even = co_await workers.async_map([](int i) { return i % 2 == 0; }, numbers(100));
    for (std::size_t i = 0; i < even.size(); ++i) EXPECT_EQ(even[i], i % 2 == 0);
    const auto none = co_await workers.async_map([](int i) { return i; }, std::vector<int>{});
    EXPECT_TRUE(none.empty());
  }(pool));
}

TEST(async_map, borrows_through_a_view_and_moves_results_that_cannot_be_copied) {
  thread_pool pool(2);
  weft::run([](thread_pool& workers) -> task<> {
    std::vector<int> items = numbers(1000);
    co_await workers.async_map([](int& i) { i = -i; }, std::span(items));
    EXPECT_EQ(items[999], -999);
    const auto owned = co_await workers.with_priority(2).async_map(
        [](int i) { return std::make_unique<int>(i); }, std::span(items));
    EXPECT_EQ(*owned[7], -7);
  }(pool));
}

TEST(async_map, throws_what_a_call_threw_and_the_pool_goes_on) {
  thread_pool pool(2);
  weft::run([](thread_pool& workers) -> task<> {
    const auto fail = [](int i) -> int {
      if (i == 500) throw std::out_of_range("item 500");
      return i;
    };
    auto work = workers.async_map(fail, numbers(1000));
    EXPECT_THROW(co_await std::move(work), std::out_of_range);
    EXPECT_EQ(co_await workers.run([] { return 1; }), 1);
  }(pool));
}

TEST(async_map, a_cancelled_one_leaves_out_the_rest_and_waits_for_what_runs) {
  thread_pool pool(1);
  weft::queue<int> begun(1);
  weft::queue<int> gate(1);
  std::atomic<int> calls{0};
  std::atomic<int> inside{0};
  bool threw = false;
  weft::run([](thread_pool& workers, weft::queue<int>& started, weft::queue<int>& go, std::atomic<int>& count,
               std::atomic<int>& running, bool& cancelled) -> task<> {
    const auto work = [&](int) {
      ++running;
      if (++count == 1) started.push_wait(1);
      go.pop_wait();
      --running;
    };
    auto map = [&]() -> task<> {
      try {
        co_await workers.async_map(work, numbers(1000));
      } catch (const weft::cancelled&) {
        cancelled = true;
        EXPECT_EQ(running.load(), 0) << "it resumed while a call was running";
      }
    };
    co_await weft::with_task_group([&](weft::task_group& group) -> task<> {
      group.spawn(map());
      co_await started.pop();
      const auto loop = co_await boost::asio::this_coro::executor;
      group.cancel();
      boost::asio::post(loop, [&] { go.close(); });  // after the cancellation, which is posted too
    });
  }(pool, begun, gate, calls, inside, threw));
  EXPECT_TRUE(threw);
  EXPECT_LT(calls.load(), 1000);
}

TEST(async_map, one_that_waits_for_a_thread_never_starts_when_cancelled) {
  thread_pool pool(1);
  weft::queue<int> gate(1);
  auto blocker = pool.submit([&] { gate.pop_wait(); });
  std::atomic<int> calls{0};
  weft::run([](thread_pool& workers, std::atomic<int>& count) -> task<> {
    auto work = workers.async_map([&count](int) { ++count; }, numbers(10));
    EXPECT_THROW(co_await weft::timeout(std::move(work), 1ms), weft::timeout_error);
  }(pool, calls));
  gate.close();
  blocker.get();
  pool.submit([] {}).get();
  EXPECT_EQ(calls.load(), 0);
}

}  // namespace async_map_test
