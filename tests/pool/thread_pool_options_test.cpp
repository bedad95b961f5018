#include <weft/pool/thread_pool.hpp>

#include <weft/observe/trace.hpp>

#include <gtest/gtest.h>
#include <oneapi/tbb/info.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <functional>
#include <latch>
#include <mutex>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace thread_pool_options_test {

using weft::thread_pool;

// AddressSanitizer ends the program over how oneTBB loads libtbbbind, which knows the NUMA nodes.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool nodes_can_be_seen = false;
#else
constexpr bool nodes_can_be_seen = true;
#endif

std::string refusal(const weft::thread_pool_options& options) {
  try {
    const thread_pool pool(options);
    return "accepted";
  } catch (const weft::invalid_argument& error) {
    return error.what();
  }
}

std::vector<int> usable_cpus() {
  cpu_set_t allowed;
  sched_getaffinity(0, sizeof allowed, &allowed);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &allowed)) cpus.push_back(cpu);
  }
  return cpus;
}

// Runs one call on every thread of the pool at the same time.
template <class F>
void on_every_thread(thread_pool& pool, F function) {
  std::latch all_here(pool.threads());
  std::vector<weft::future<void>> calls;
  for (int i = 0; i < pool.threads(); ++i) {
    calls.push_back(pool.submit([&] {
      all_here.arrive_and_wait();
      function();
    }));
  }
  for (auto& call : calls) call.get();
}

TEST(thread_pool_options, cpus_bind_each_thread_to_one_processor) {
  const std::vector<int> cpus = usable_cpus();
  thread_pool pool({.threads = 3, .cpus = cpus});
  std::mutex mutex;
  std::set<int> indices;
  on_every_thread(pool, [&] {
    const std::vector<int> mine = usable_cpus();
    const int index = thread_pool::this_thread_index();
    const std::lock_guard lock(mutex);
    EXPECT_EQ(mine, std::vector<int>{cpus[static_cast<std::size_t>(index) % cpus.size()]});
    indices.insert(index);
  });
  EXPECT_EQ(indices, (std::set<int>{0, 1, 2}));
  EXPECT_EQ(usable_cpus(), cpus) << "the thread that made the pool was bound too";
}

TEST(thread_pool_options, cpus_say_how_many_threads_there_are) {
  const int cpu = usable_cpus().front();
  EXPECT_EQ(thread_pool({.cpus = {cpu, cpu, cpu}}).threads(), 3);
}

TEST(thread_pool_options, threads_that_leave_a_bound_pool_are_free_again) {
  const std::vector<int> cpus = usable_cpus();
  {
    thread_pool bound({.threads = 2, .cpus = {cpus.front()}});
    on_every_thread(bound, [] {});
  }
  thread_pool free(2);  // oneTBB's threads are the same ones
  on_every_thread(free, [&] { EXPECT_EQ(usable_cpus(), cpus); });
}

TEST(thread_pool_options, what_cannot_work_is_refused_by_name) {
  EXPECT_NE(refusal({.cpus = {-1}}).find("cpus names processor -1"), std::string::npos);
  EXPECT_NE(refusal({.cpus = {1'000'000}}).find("cpus names processor 1000000"), std::string::npos);
  if (nodes_can_be_seen) {
    EXPECT_NE(refusal({.numa_node = 4711}).find("numa_node is 4711"), std::string::npos);
    EXPECT_NE(refusal({.numa_node = -7}).find("numa_node is -7"), std::string::npos);
  }
  EXPECT_NE(refusal({.cpus = {usable_cpus().front()}, .numa_node = 0}).find("both cpus and numa_node"),
            std::string::npos);
}

TEST(thread_pool_options, a_numa_node_holds_the_pool_or_says_what_is_missing) {
  if (!nodes_can_be_seen) GTEST_SKIP() << "AddressSanitizer does not let oneTBB load libtbbbind";
  const int node = tbb::info::numa_nodes().front();
  if (node < 0) {
    EXPECT_NE(refusal({.numa_node = 0}).find("libtbbbind"), std::string::npos);
    return;
  }
  thread_pool pool({.numa_node = node});
  EXPECT_EQ(pool.threads(), tbb::info::default_concurrency(node));
  EXPECT_EQ(pool.submit([] { return 7; }).get(), 7);
}

TEST(thread_pool_priority, higher_numbers_start_first_and_equal_ones_in_order) {
  thread_pool pool(1);
  std::latch release(1);
  std::latch begun(1);
  auto blocker = pool.submit([&] {
    begun.count_down();
    release.wait();
  });
  begun.wait();
  std::vector<int> order;
  std::vector<weft::future<void>> calls;
  const auto note = [&order](int what) { order.push_back(what); };
  for (int i = 0; i < 3; ++i) {
    calls.push_back(pool.with_priority(-1).submit(note, 30 + i));
    calls.push_back(pool.submit(note, 20 + i));
    calls.push_back(pool.with_priority(5).submit(note, 10 + i));
    calls.push_back(pool.with_priority(70).submit(note, i));
  }
  EXPECT_EQ(pool.queued(), 12U);
  release.count_down();
  for (auto& call : calls) call.get();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32}));
  EXPECT_EQ(pool.queued(), 0U);
}

TEST(thread_pool_priority, what_becomes_urgent_later_overtakes_what_waits) {
  thread_pool pool(1);
  auto urgent = pool.with_priority(1);
  std::vector<int> order;
  std::latch begun(1);
  std::latch release(1);
  auto first = pool.submit([&] {
    begun.count_down();
    release.wait();
    // By now the two below have waited; this one comes last and is the next to run.
    urgent.submit([&] { order.push_back(0); });
  });
  begun.wait();
  auto second = pool.submit([&] { order.push_back(1); });
  auto third = pool.submit([&] { order.push_back(2); });
  release.count_down();
  first.get();
  second.get();
  third.get();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
}

TEST(thread_pool, cancel_queued_leaves_what_runs) {
  thread_pool pool(1);
  std::latch begun(1);
  std::latch release(1);
  auto running = pool.submit([&] {
    begun.count_down();
    release.wait();
    return 1;
  });
  begun.wait();
  std::vector<weft::future<int>> waiting;
  for (int i = 0; i < 10; ++i) waiting.push_back(pool.submit([] { return 2; }));
  waiting.push_back(pool.with_priority(3).submit([] { return 3; }));
  EXPECT_EQ(pool.cancel_queued(), 11U);
  EXPECT_EQ(pool.queued(), 0U);
  for (auto& call : waiting) EXPECT_THROW(call.get(), weft::cancelled);
  release.count_down();
  EXPECT_EQ(running.get(), 1);
  EXPECT_EQ(pool.submit([] { return 4; }).get(), 4);
}

TEST(thread_pool, the_destructor_runs_what_its_calls_submit_meanwhile) {
  std::atomic<int> ran{0};
  {
    std::function<void(int)> chain;  // outlives the pool
    thread_pool pool(2);
    chain = [&](int left) {
      ++ran;
      if (left > 0) pool.submit(chain, left - 1);
    };
    for (int i = 0; i < 10; ++i) pool.submit(chain, 100);
  }
  EXPECT_EQ(ran.load(), 10 * 101);
}

TEST(thread_pool, pools_come_and_go_while_others_work) {
  std::vector<std::thread> owners;
  std::atomic<int> ran{0};
  for (int owner = 0; owner < 3; ++owner) {
    owners.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        thread_pool pool(2);
        for (int call = 0; call < 5; ++call) pool.submit([&] { ++ran; });
      }
    });
  }
  for (auto& owner : owners) owner.join();
  EXPECT_EQ(ran.load(), 3 * 100 * 5);
}

TEST(thread_pool_trace, a_call_is_a_span_with_its_wait_and_an_arrow_from_its_submission) {
  const std::string path = testing::TempDir() + "weft_thread_pool_trace_" + std::to_string(::getpid());
  {
    thread_pool pool({.threads = 1, .name = "loaders"});
    weft::trace::start(path);
    pool.submit([] {}).get();
    pool.submit([] {}).get();
  }
  weft::trace::stop();
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  const std::string trace = text.str();
  const auto count = [&trace](const std::string& phase, const std::string& name) {
    const std::regex event("\\{[^{}]*\"ph\": ?\"" + phase + "\"[^{}]*\"name\": ?\"" + name +
                           "\"|\\{[^{}]*\"name\": ?\"" + name + "\"[^{}]*\"ph\": ?\"" + phase + "\"");
    return std::distance(std::sregex_iterator(trace.begin(), trace.end(), event), std::sregex_iterator());
  };
  EXPECT_EQ(count("X", "loaders"), 2) << trace;
  EXPECT_EQ(count("X", "pool.submit"), 2) << trace;
  EXPECT_EQ(count("b", "pool.queued"), 2) << trace;
  EXPECT_EQ(count("s", "pool.submit"), 2) << trace;
  EXPECT_EQ(count("f", "pool.submit"), 2) << trace;
  EXPECT_TRUE(std::regex_search(trace, std::regex("\"loaders [0-9]+\""))) << trace;
  std::remove(path.c_str());
}

}  // namespace thread_pool_options_test
