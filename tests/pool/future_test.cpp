#include <weft/pool/future.hpp>

#include <weft/pool/thread_pool.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace future_test {

using namespace std::chrono_literals;
using weft::future;
using weft::thread_pool;

TEST(future, is_valid_until_its_result_is_taken) {
  thread_pool pool(1);
  future<int> none;
  EXPECT_FALSE(none.valid());
  future<int> one = pool.submit([] { return 1; });
  EXPECT_TRUE(one.valid());
  future<int> moved = std::move(one);
  EXPECT_TRUE(moved.valid());
  EXPECT_EQ(moved.get(), 1);
  EXPECT_FALSE(moved.valid());
}

TEST(future, wait_for_tells_whether_the_result_is_there) {
  thread_pool pool(1);
  std::latch release(1);
  auto call = pool.submit([&] {
    release.wait();
    return 3;
  });
  EXPECT_FALSE(call.ready());
  EXPECT_FALSE(call.wait_for(1ms));
  release.count_down();
  EXPECT_TRUE(call.wait_for(1h));
  EXPECT_TRUE(call.ready());
  EXPECT_EQ(call.get(), 3);
}

TEST(future, a_queued_call_can_be_cancelled_and_says_so) {
  thread_pool pool(1);
  std::latch release(1);
  auto blocker = pool.submit([&] { release.wait(); });
  std::atomic<bool> ran{false};
  auto call = pool.submit([&] { ran = true; });
  EXPECT_TRUE(call.cancel());
  EXPECT_FALSE(call.cancel());
  EXPECT_TRUE(call.ready());
  EXPECT_THROW(call.get(), weft::cancelled);
  release.count_down();
  blocker.get();
  pool.submit([] {}).get();
  EXPECT_FALSE(ran.load());
}

TEST(future, a_running_call_cannot_be_cancelled) {
  thread_pool pool(1);
  std::latch started(1);
  std::latch release(1);
  auto call = pool.submit([&] {
    started.count_down();
    release.wait();
    return 1;
  });
  started.wait();
  EXPECT_FALSE(call.cancel());
  release.count_down();
  EXPECT_EQ(call.get(), 1);
}

TEST(future, frees_what_the_call_captured_when_it_has_run) {
  thread_pool pool(1);
  auto captured = std::make_shared<int>(1);
  auto call = pool.submit([captured] { return *captured; });
  call.wait();
  EXPECT_EQ(captured.use_count(), 1);
  EXPECT_EQ(call.get(), 1);
}

TEST(future, dropping_it_drops_the_result) {
  const auto counted = std::make_shared<int>(0);
  {
    thread_pool pool(1);
    pool.submit([copy = counted] { return copy; });
  }
  EXPECT_EQ(counted.use_count(), 1);
}

TEST(future, cancelling_races_with_starting) {
  thread_pool pool(2);
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::atomic<int> ran{0};
    auto call = pool.submit([&] { ++ran; });
    for (unsigned spin = random() % 200; spin > 0; --spin)
      std::atomic_signal_fence(std::memory_order_seq_cst);
    const bool stopped = call.cancel();
    if (stopped) {
      EXPECT_THROW(call.get(), weft::cancelled);
      EXPECT_EQ(ran.load(), 0);
    } else {
      call.get();
      EXPECT_EQ(ran.load(), 1);
    }
  }
}

}  // namespace future_test
