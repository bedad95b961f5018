#include <weft/pool/thread_pool.hpp>

#include <weft/async/run.hpp>

#include <gtest/gtest.h>

#include <dlfcn.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <latch>
#include <memory>
#include <new>
#include <thread>
#include <vector>

// A pool whose oneTBB has no memory for tasks. Here its allocations come by, and some of them fail.

namespace thread_pool_memory_test {

std::atomic<bool> no_memory{false};
std::atomic<int> failures{0};
// With no_memory: of so many allocations one succeeds.
std::atomic<std::uint32_t> one_in{0};

bool refuse() {
  if (!no_memory.load()) return false;
  const int before = failures.fetch_add(1);
  const std::uint32_t period = one_in.load();
  return period == 0 || static_cast<std::uint32_t>(before) % period != 0;
}

}  // namespace thread_pool_memory_test

namespace tbb::detail::r1 {

void* __TBB_EXPORTED_FUNC allocate(d1::small_object_pool*& pool, std::size_t bytes) {
  if (thread_pool_memory_test::refuse()) throw std::bad_alloc();
  using function = void* (*)(d1::small_object_pool*&, std::size_t);
  static const auto next = reinterpret_cast<function>(
      ::dlsym(RTLD_NEXT, "_ZN3tbb6detail2r18allocateERPNS0_2d117small_object_poolEm"));
  return next(pool, bytes);
}

}  // namespace tbb::detail::r1

namespace thread_pool_memory_test {

using weft::future;
using weft::thread_pool;

struct without_memory {
  explicit without_memory(std::uint32_t period = 0) {
    failures = 0;
    one_in = period;
    no_memory = true;
  }
  without_memory(const without_memory&) = delete;
  without_memory& operator=(const without_memory&) = delete;
  ~without_memory() { no_memory = false; }
};

// As many threads as the pool has run at the same time.
void expect_all_threads(thread_pool& pool) {
  std::latch all(pool.threads());
  std::vector<future<void>> calls;
  for (int i = 0; i < pool.threads(); ++i) calls.push_back(pool.submit([&] { all.arrive_and_wait(); }));
  for (auto& call : calls) call.get();
}

TEST(thread_pool_memory, a_call_that_no_thread_will_run_fails_and_the_pool_goes_on) {
  thread_pool pool(2);
  const auto here = std::make_shared<int>(0);
  for (int round = 0; round < 3; ++round) {
    {
      const without_memory now;
      // Threads that are still looking for work may run some.
      for (bool refused = false; !refused;) {
        auto call = pool.submit([here] { return 1; });
        try {
          EXPECT_EQ(call.get(), 1);
        } catch (const std::bad_alloc&) {
          refused = true;
        }
      }
      EXPECT_THROW(pool.submit([] {}).get(), std::bad_alloc);
      EXPECT_THROW(pool.with_priority(3).submit([] {}).get(), std::bad_alloc);
      EXPECT_THROW(weft::run([](thread_pool& on) -> weft::task<> { co_await on.run([] {}); }(pool)),
                   std::bad_alloc);
    }
    EXPECT_EQ(pool.queued(), 0U);
    EXPECT_EQ(pool.submit([] { return 2; }).get(), 2);
    expect_all_threads(pool);
  }
  while (here.use_count() != 1) std::this_thread::yield();
}

TEST(thread_pool_memory, a_thread_that_runs_comes_to_what_waits) {
  thread_pool pool(2);
  std::latch begun(1);
  std::latch release(1);
  auto first = pool.submit([&] {
    begun.count_down();
    release.wait();
  });
  begun.wait();
  std::vector<future<int>> calls;
  {
    const without_memory now;
    for (int i = 0; i < 1000; ++i) calls.push_back(pool.submit([i] { return i; }));
    EXPECT_GT(failures.load(), 0);
    release.count_down();
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(calls[static_cast<std::size_t>(i)].get(), i);
  }
  first.get();
  expect_all_threads(pool);
}

TEST(thread_pool_memory, a_loop_gets_on_without_helpers) {
  thread_pool pool(3);
  std::atomic<int> sum{0};
  {
    const without_memory now;
    pool.for_range(0, 1000, [&](std::int64_t i) { sum += static_cast<int>(i); });
    EXPECT_GT(failures.load(), 0);
  }
  EXPECT_EQ(sum.load(), 999 * 500);
  expect_all_threads(pool);
}

TEST(thread_pool_memory, every_call_runs_or_fails_while_memory_comes_and_goes) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> ran{0};
    int refused = 0;
    {
      thread_pool pool(1 + round % 3);
      const without_memory now(2);
      std::vector<std::thread> submitters;
      std::vector<int> failed(2);
      for (int& mine : failed) {
        submitters.emplace_back([&] {
          std::vector<future<void>> calls;
          for (int i = 0; i < 300; ++i) calls.push_back(pool.submit([&] { ++ran; }));
          for (auto& call : calls) {
            try {
              call.get();
            } catch (const std::bad_alloc&) {
              ++mine;
            }
          }
        });
      }
      for (auto& each : submitters) each.join();
      refused = failed[0] + failed[1];
    }
    EXPECT_EQ(ran.load() + refused, 600);
  }
}

}  // namespace thread_pool_memory_test
