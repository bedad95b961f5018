#include <weft/pool/as_completed.hpp>

#include <weft/async/run.hpp>
#include <weft/async/timeout.hpp>
#include <weft/pool/thread_pool.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <latch>
#include <memory>
#include <stdexcept>
#include <vector>

namespace as_completed_test {

using namespace std::chrono_literals;
using weft::as_completed;
using weft::future;
using weft::task;
using weft::thread_pool;

TEST(as_completed, gives_out_the_first_that_finishes_first) {
  thread_pool pool(3);
  std::vector<std::unique_ptr<std::latch>> gates;
  std::vector<future<int>> calls;
  for (int i = 0; i < 3; ++i) {
    gates.push_back(std::make_unique<std::latch>(1));
    calls.push_back(pool.submit([gate = gates.back().get(), i] {
      gate->wait();
      return i;
    }));
  }
  as_completed finished(std::move(calls));
  EXPECT_EQ(finished.size(), 3U);
  for (const int next : {2, 0, 1}) {
    gates[static_cast<std::size_t>(next)]->count_down();
    auto done = finished.next_wait();
    ASSERT_TRUE(done);
    EXPECT_TRUE(done->ready());
    EXPECT_EQ(done->get(), next);
  }
  EXPECT_FALSE(finished.next_wait());
}

TEST(as_completed, is_a_range_over_values_and_errors) {
  thread_pool pool(2);
  std::vector<future<int>> calls;
  for (int i = 0; i < 100; ++i) {
    calls.push_back(pool.submit([i] {
      if (i == 50) throw std::runtime_error("fifty");
      return i;
    }));
  }
  std::vector<int> values;
  int errors = 0;
  for (auto& done : as_completed(std::move(calls))) {
    try {
      values.push_back(done.get());
    } catch (const std::runtime_error&) {
      ++errors;
    }
  }
  std::sort(values.begin(), values.end());
  EXPECT_EQ(values.size(), 99U);
  EXPECT_EQ(std::unique(values.begin(), values.end()), values.end());
  EXPECT_EQ(errors, 1);
}

TEST(as_completed, an_empty_set_ends_at_once) {
  as_completed<int> finished({});
  EXPECT_FALSE(finished.next_wait());
}

TEST(as_completed, is_awaited_by_coroutines) {
  thread_pool pool(2);
  weft::run([](thread_pool& workers) -> task<> {
    std::vector<future<int>> calls;
    for (int i = 0; i < 100; ++i) calls.push_back(workers.submit([i] { return i; }));
    as_completed finished(std::move(calls));
    int sum = 0;
    while (true) {
      auto done = co_await finished.next();
      if (!done) break;
      sum += done->get();
    }
    EXPECT_EQ(sum, 4950);
  }(pool));
}

TEST(as_completed, a_cancelled_next_has_taken_none) {
  thread_pool pool(1);
  std::latch release(1);
  weft::run([](thread_pool& workers, std::latch& gate) -> task<> {
    std::vector<future<int>> calls;
    calls.push_back(workers.submit([&gate] {
      gate.wait();
      return 5;
    }));
    as_completed finished(std::move(calls));
    EXPECT_THROW(co_await weft::timeout(finished.next(), 1ms), weft::timeout_error);
    gate.count_down();
    auto done = co_await finished.next();
    EXPECT_EQ(done->get(), 5);
  }(pool, release));
}

TEST(as_completed, can_be_dropped_while_calls_run) {
  for (int round = 0; round < 200; ++round) {
    thread_pool pool(2);
    std::vector<future<std::shared_ptr<int>>> calls;
    const auto counted = std::make_shared<int>(0);
    for (int i = 0; i < 20; ++i) calls.push_back(pool.submit([counted] { return counted; }));
    {
      as_completed finished(std::move(calls));
      if (round % 2 == 0) finished.next_wait();
    }
  }
}

}  // namespace as_completed_test
