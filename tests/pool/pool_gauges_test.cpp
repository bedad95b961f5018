#include <weft/pool/process_pool.hpp>

#include "processes.hpp"

#include <weft/observe/metrics.hpp>
#include <weft/pool/actor.hpp>
#include <weft/pool/thread_pool.hpp>

#include <gtest/gtest.h>

#include <unistd.h>

#include <latch>
#include <string>
#include <thread>
#include <variant>
#include <vector>

namespace pool_gauges_test {

using weft::future;

double gauge_of(const std::string& name, const std::string& pool) {
  for (const auto& sample : weft::metrics().snapshot()) {
    if (sample.name == name && sample.labels == weft::metric_labels{{"pool", pool}})
      return std::get<double>(sample.value);
  }
  return -1;
}
double queued(const std::string& pool) {
  return gauge_of("weft_pool_queued_calls", pool);
}
double running(const std::string& pool) {
  return gauge_of("weft_pool_running_calls", pool);
}
// The result is there a moment before the thread or the worker is free again.
void wait_until_idle(const std::string& pool) {
  while (running(pool) != 0 || queued(pool) != 0) std::this_thread::yield();
}

TEST(pool_gauges, count_the_calls_of_threads) {
  const std::string name = "gauged threads";
  {
    weft::thread_pool pool({.threads = 2, .name = name});
    EXPECT_EQ(running(name), 0);
    std::latch begun(2);
    std::latch release(1);
    std::vector<future<void>> calls;
    for (int i = 0; i < 2; ++i) {
      calls.push_back(pool.submit([&] {
        begun.count_down();
        release.wait();
      }));
    }
    begun.wait();
    for (int i = 0; i < 5; ++i) calls.push_back(pool.submit([] {}));
    EXPECT_EQ(running(name), 2);
    EXPECT_EQ(queued(name), 5);
    {
      weft::thread_pool other({.threads = 1, .name = name});
      std::latch here(1);
      calls.push_back(other.submit([&] {
        here.count_down();
        release.wait();
      }));
      here.wait();
      EXPECT_EQ(running(name), 3);
      release.count_down();
    }
    for (auto& call : calls) call.get();
    wait_until_idle(name);
  }
  EXPECT_EQ(running(name), 0);
}

int same(int value) {
  return value;
}
void die_at_once() {
  ::_exit(3);
}
void throw_it() {
  throw weft::error("no");
}

TEST(pool_gauges, count_the_calls_of_processes) {
  gate closed;
  weft::process_pool pool({.workers = 2});
  std::latch begun(2);
  const auto note = [&](weft::progress_message&) { begun.count_down(); };
  std::vector<future<int>> calls;
  for (int i = 0; i < 2; ++i) {
    calls.push_back(
        pool.with({.on_progress = note}).submit<&wait_at_gate>(::getpid(), closed.descriptor(), i));
  }
  begun.wait();
  for (int i = 2; i < 202; ++i) calls.push_back(pool.submit<&same>(i));  // more than are sent ahead
  EXPECT_EQ(running("process_pool"), 2);
  EXPECT_EQ(queued("process_pool"), 200);
  closed.open();
  for (int i = 0; i < 202; ++i) EXPECT_EQ(calls[static_cast<std::size_t>(i)].get(), i);
  EXPECT_THROW(pool.submit<&throw_it>().get(), weft::error);
  wait_until_idle("process_pool");
}

TEST(pool_gauges, tell_process_pools_apart_by_their_names) {
  gate closed;
  weft::process_pool busy({.workers = 1, .name = "busy"});
  const weft::process_pool idle({.workers = 1, .name = "idle"});
  auto waiting = busy.submit<&wait_at_gate>(::getpid(), closed.descriptor(), 1);
  while (running("busy") != 1) std::this_thread::yield();
  EXPECT_EQ(running("idle"), 0);
  EXPECT_EQ(queued("idle"), 0);
  closed.open();
  waiting.get();
  wait_until_idle("busy");
}

TEST(pool_gauges, have_the_name_that_errors_have) {
  weft::process_pool pool({.workers = 1, .forward_stderr = false, .name = "fragile"});
  try {
    pool.submit<&die_at_once>().get();
    FAIL();
  } catch (const weft::worker_died& died) {
    EXPECT_EQ(std::string(died.what()).rfind("fragile: worker 0 ", 0), 0U) << died.what();
  }
}

struct waiter {
  int wait(int parent, int descriptor) { return wait_at_gate(parent, descriptor, 1); }
  int quick() { return 2; }
};

TEST(pool_gauges, count_the_calls_of_actors) {
  gate closed;
  weft::actor<waiter> one({.name = "gauged actor"});
  const weft::actor<waiter> other;
  auto waiting = one.call<&waiter::wait>(::getpid(), closed.descriptor());
  auto quick = one.call<&waiter::quick>();
  while (running("gauged actor") != 1) std::this_thread::yield();
  EXPECT_EQ(queued("gauged actor"), 1);
  EXPECT_EQ(queued("actor"), 0);
  closed.open();
  EXPECT_EQ(waiting.get() + quick.get(), 3);
  wait_until_idle("gauged actor");
}

}  // namespace pool_gauges_test
