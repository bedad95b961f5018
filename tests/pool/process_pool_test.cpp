#include <weft/pool/process_pool.hpp>

#include "processes.hpp"

#include <weft/async/run.hpp>
#include <weft/async/timeout.hpp>
#include <weft/pool/as_completed.hpp>
#include <weft/pool/thread_pool.hpp>

#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <latch>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace process_pool_test {

using namespace std::chrono_literals;
using weft::future;
using weft::process_pool;
using weft::task;

struct point {
  double x = 0;
  double y = 0;
};

struct settings {
  std::string name;
  std::vector<point> path;
  std::map<std::string, std::vector<int>> table;
  std::optional<int> seed;
  std::unique_ptr<double> rate;
};

class counter {
 public:
  counter() = default;
  explicit counter(int value) : value_(value) {}
  int value() const { return value_; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value_);
  }

 private:
  int value_ = 0;
};

struct no_such_sample : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct unregistered : std::runtime_error {
  using std::runtime_error::runtime_error;
};
[[maybe_unused]] const bool known = weft::register_error<no_such_sample>();

int add(int a, int b) {
  return a + b;
}
int overloaded(int a) {
  return a;
}
double overloaded(double a) {
  return -a;
}
void nothing() {}
int process_id() {
  return ::getpid();
}
int index_here() {
  return process_pool::this_worker_index();
}
int square(int i) {
  return i * i;
}
bool is_even(int i) {
  return i % 2 == 0;
}
std::string repeat(const std::string& text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}
settings change(settings given) {
  given.name += "!";
  given.path.push_back({5, 6});
  given.table["new"] = {7};
  *given.rate *= 2;
  return given;
}
std::unique_ptr<int> twice(std::unique_ptr<int> value) {
  return std::make_unique<int>(*value * 2);
}
int count_of(counter c) {
  return c.value() + 1;
}
std::vector<float> add_one(std::vector<float> values) {
  for (float& value : values) ++value;
  return values;
}
std::string variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}
int niceness() {
  return ::getpriority(PRIO_PROCESS, 0);
}

int raise_error(int which) {
  switch (which) {
    case 0:
      throw std::out_of_range("index 7");
    case 1:
      throw weft::io_error("data.idx", "open", std::make_error_code(std::errc::no_such_file_or_directory));
    case 2:
      throw no_such_sample("sample 12");
    case 3:
      throw unregistered("secret");
    case 4:
      throw 5;
    case 5:
      throw std::system_error(std::make_error_code(std::errc::permission_denied), "saving");
    case 6:
      throw weft::format_error("a.gz", 12, "no magic number");
    default:
      throw std::bad_alloc();
  }
}

TEST(process_pool, calls_functions_with_all_kinds_of_arguments) {
  process_pool pool({.workers = 2});
  EXPECT_EQ(pool.submit<&add>(2, 3).get(), 5);
  EXPECT_EQ(pool.submit<static_cast<int (*)(int)>(&overloaded)>(4).get(), 4);
  EXPECT_EQ(pool.submit<static_cast<double (*)(double)>(&overloaded)>(4).get(), -4);
  EXPECT_EQ(pool.submit<[](int i) { return i + 1; }>(4).get(), 5);
  EXPECT_EQ(pool.submit<[](int i) { return i + 2; }>(4).get(), 6);
  pool.submit<&nothing>().get();
  EXPECT_EQ(pool.submit<&repeat>("ab", 3U).get(), "ababab");
  settings given{"run", {{1, 2}, {3, 4}}, {{"a", {1, 2}}}, 9, std::make_unique<double>(0.5)};
  const settings back = pool.submit<&change>(given).get();
  EXPECT_EQ(back.name, "run!");
  ASSERT_EQ(back.path.size(), 3U);
  EXPECT_EQ(back.path[1].y, 4);
  EXPECT_EQ(back.table.at("new"), std::vector<int>{7});
  EXPECT_EQ(back.seed, 9);
  EXPECT_EQ(*back.rate, 1.0);
  EXPECT_EQ(*pool.submit<&twice>(std::make_unique<int>(21)).get(), 42);
  EXPECT_EQ(pool.submit<&count_of>(counter(6)).get(), 7);
}

TEST(process_pool, runs_in_other_processes_that_have_not_seen_main) {
  process_pool pool({.workers = 2});
  const int other = pool.submit<&process_id>().get();
  EXPECT_NE(other, ::getpid());
  const auto ids = pool.process_ids();
  EXPECT_NE(std::find(ids.begin(), ids.end(), other), ids.end());
  EXPECT_EQ(process_pool::this_worker_index(), -1);
  const int index = pool.submit<&index_here>().get();
  EXPECT_TRUE(index == 0 || index == 1);
}

TEST(process_pool, uses_all_its_workers_at_the_same_time) {
  gate all;
  process_pool pool({.workers = 3});
  std::latch waiting(3);
  std::vector<future<int>> calls;
  auto watched = pool.with({.on_progress = [&](weft::progress_message&) { waiting.count_down(); }});
  for (int i = 0; i < 3; ++i) calls.push_back(watched.submit<&wait_at_gate>(::getpid(), all.descriptor(), i));
  waiting.wait();  // passes only if all run at the same time
  all.open();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(calls[static_cast<std::size_t>(i)].get(), i);
}

TEST(process_pool, large_arguments_and_results_come_back_whole) {
  process_pool pool({.workers = 2});
  for (const std::size_t size : {100U, 16'000U, 16'384U, 100'000U, 3'000'000U}) {
    std::vector<float> values(size);
    std::iota(values.begin(), values.end(), 0.0F);
    const auto back = pool.submit<&add_one>(values).get();
    ASSERT_EQ(back.size(), size);
    for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(back[i], values[i] + 1);
  }
  EXPECT_EQ(pool.submit<&repeat>(std::string(50'000, 'x'), 10U).get(), std::string(500'000, 'x'));
}

TEST(process_pool, map_keeps_the_order) {
  process_pool pool({.workers = 2});
  std::vector<int> items(5000);
  std::iota(items.begin(), items.end(), 0);
  const auto squares = pool.map<&square>(items);
  ASSERT_EQ(squares.size(), items.size());
  for (std::size_t i = 0; i < items.size(); ++i) ASSERT_EQ(squares[i], items[i] * items[i]);
  const std::vector<bool> even = pool.map<&is_even>(items, 7);
  for (std::size_t i = 0; i < items.size(); ++i) ASSERT_EQ(even[i], i % 2 == 0);
  EXPECT_TRUE(pool.map<&square>(std::vector<int>{}).empty());
  EXPECT_THROW(pool.map<&raise_error>(std::vector<int>{2, 2, 2}), no_such_sample);
  EXPECT_EQ(pool.submit<&add>(1, 1).get(), 2);
}

TEST(process_pool, exceptions_arrive_as_themselves_where_they_are_registered) {
  process_pool pool({.workers = 1});
  try {
    pool.submit<&raise_error>(0).get();
    FAIL();
  } catch (const std::out_of_range& error) {
    EXPECT_STREQ(error.what(), "index 7");
  }
  try {
    pool.submit<&raise_error>(1).get();
    FAIL();
  } catch (const weft::io_error& error) {
    EXPECT_EQ(error.path(), "data.idx");
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    EXPECT_STREQ(error.what(), "data.idx: cannot open: No such file or directory");
  }
  EXPECT_THROW(pool.submit<&raise_error>(2).get(), no_such_sample);
  try {
    pool.submit<&raise_error>(3).get();
    FAIL();
  } catch (const weft::remote_error& error) {
    EXPECT_NE(error.type_name().find("unregistered"), std::string::npos);
    EXPECT_EQ(error.message(), "secret");
    EXPECT_NE(error.origin().find("raise_error in worker 0"), std::string::npos) << error.origin();
  }
  try {
    pool.submit<&raise_error>(4).get();
    FAIL();
  } catch (const weft::remote_error& error) {
    EXPECT_EQ(error.type_name(), "int");
  }
  try {
    pool.submit<&raise_error>(5).get();
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::permission_denied);
    EXPECT_STREQ(error.what(), "saving: Permission denied");
  }
  try {
    pool.submit<&raise_error>(6).get();
    FAIL();
  } catch (const weft::format_error& error) {
    EXPECT_EQ(error.offset(), 12);
    EXPECT_STREQ(error.what(), "a.gz: byte 12: no magic number");
  }
  EXPECT_THROW(pool.submit<&raise_error>(7).get(), std::bad_alloc);
}

TEST(process_pool, higher_priorities_start_first_even_before_what_was_sent_ahead) {
  gate first;
  process_pool pool({.workers = 1});
  std::latch waiting(1);
  auto blocker = pool.with({.on_progress = [&](weft::progress_message&) { waiting.count_down(); }})
                     .submit<&wait_at_gate>(::getpid(), first.descriptor(), 0);
  waiting.wait();
  std::vector<int> order;  // written by one thread only: that of the pool
  const auto note = [&](weft::progress_message& message) { order.push_back(message.as<int>()); };
  const auto submit = [&](int priority) {
    return pool.with({.priority = priority, .on_progress = note})
        .submit<[](int value) { weft::report_progress(value); }>(priority);
  };
  std::vector<future<void>> calls;
  for (const int priority : {0, 0, 1, -1, 2, 1}) calls.push_back(submit(priority));
  first.open();
  weft::as_completed finished(std::move(calls));
  while (finished.next_wait()) {
  }
  EXPECT_EQ(order, (std::vector<int>{2, 1, 1, 0, 0, -1}));
  EXPECT_EQ(blocker.get(), 0);
}

TEST(process_pool, what_the_progress_callback_throws_is_not_lost) {
  process_pool pool({.workers = 1});
  const auto count = [](int up_to) {
    for (int i = 0; i < up_to; ++i) weft::report_progress(i);
  };
  std::vector<int> seen;
  pool.with({.on_progress = [&](weft::progress_message& message) { seen.push_back(message.as<int>()); }})
      .submit<count>(5)
      .get();
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 2, 3, 4}));
  const auto refuse = [](weft::progress_message&) { throw no_such_sample("not this one"); };
  EXPECT_THROW(pool.with({.on_progress = refuse}).submit<count>(2).get(), no_such_sample);
}

TEST(process_pool, cancels_before_the_start_and_while_running) {
  gate never;
  process_pool pool({.workers = 1});
  std::latch waiting(1);
  auto running = pool.with({.on_progress = [&](weft::progress_message&) { waiting.count_down(); }})
                     .submit<&wait_at_gate>(::getpid(), never.descriptor(), 1);
  waiting.wait();
  auto queued = pool.submit<&add>(1, 1);
  auto kept = pool.submit<&add>(1, 2);
  EXPECT_TRUE(queued.cancel());
  EXPECT_THROW(queued.get(), weft::cancelled);
  EXPECT_TRUE(running.cancel());
  EXPECT_THROW(running.get(), weft::cancelled);
  EXPECT_EQ(kept.get(), 3);
  auto done = pool.submit<&add>(1, 1);
  done.wait();
  EXPECT_FALSE(done.cancel());
  EXPECT_EQ(done.get(), 2);
}

TEST(process_pool, cancel_queued_leaves_what_runs) {
  gate closed;
  process_pool pool({.workers = 1});
  std::latch waiting(1);
  auto running = pool.with({.on_progress = [&](weft::progress_message&) { waiting.count_down(); }})
                     .submit<&wait_at_gate>(::getpid(), closed.descriptor(), 1);
  waiting.wait();
  std::vector<future<int>> queued;
  for (int i = 0; i < 100; ++i) queued.push_back(pool.with({.priority = i % 3 - 1}).submit<&add>(i, 1));
  EXPECT_EQ(pool.cancel_queued(), 100U);
  for (auto& call : queued) EXPECT_THROW(call.get(), weft::cancelled);
  closed.open();
  EXPECT_EQ(running.get(), 1);
  EXPECT_EQ(pool.submit<&add>(1, 2).get(), 3);
  EXPECT_EQ(pool.cancel_queued(), 0U);
}

TEST(process_pool, a_cancelled_coroutine_stops_its_call) {
  gate never;
  process_pool pool({.workers = 1});
  weft::run([](process_pool& workers, int gate_number) -> task<> {
    EXPECT_EQ(co_await workers.run<&add>(20, 22), 42);
    auto hanging = workers.run<&wait_at_gate>(::getpid(), gate_number, 0);
    EXPECT_THROW(co_await weft::timeout(std::move(hanging), 1ms), weft::timeout_error);
    EXPECT_EQ(co_await workers.run<&add>(1, 2), 3);
  }(pool, never.descriptor()));
}

TEST(process_pool, results_come_as_they_are_ready) {
  gate slow;
  process_pool pool({.workers = 2});
  std::vector<future<int>> calls;
  calls.push_back(pool.submit<&wait_at_gate>(::getpid(), slow.descriptor(), 1));
  calls.push_back(pool.submit<&add>(1, 1));
  weft::as_completed finished(std::move(calls));
  EXPECT_EQ(finished.next_wait()->get(), 2);
  slow.open();
  EXPECT_EQ(finished.next_wait()->get(), 1);
}

TEST(process_pool, workers_are_set_up_and_taken_down) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const auto note = [](int parent, int descriptor, char what) {
    const int file =
        ::open(("/proc/" + std::to_string(parent) + "/fd/" + std::to_string(descriptor)).c_str(), O_WRONLY);
    [[maybe_unused]] const auto written = ::write(file, &what, 1);
    ::close(file);
  };
  {
    process_pool pool({.workers = 2,
                       .initializer = weft::remote_call::of<note>(::getpid(), ends[1], 'i'),
                       .teardown = weft::remote_call::of<note>(::getpid(), ends[1], 't'),
                       .environment = {{"WEFT_TEST_VARIABLE", "here"}},
                       .niceness = 3});
    EXPECT_EQ(pool.submit<&variable>("WEFT_TEST_VARIABLE").get(), "here");
    EXPECT_GE(pool.submit<&niceness>().get(), 3);
    // Both have started before the pool goes, or one might leave without having been set up.
    char seen[2];
    for (char& one : seen) ASSERT_EQ(::read(ends[0], &one, 1), 1);
    EXPECT_EQ(seen[0], 'i');
    EXPECT_EQ(seen[1], 'i');
    for (int i = 0; i < 2; ++i) pool.map<&square>(std::vector<int>(100, 1), 1);
  }
  ::close(ends[1]);
  std::string rest;
  for (char one = 0; ::read(ends[0], &one, 1) == 1;) rest += one;
  ::close(ends[0]);
  EXPECT_LE(std::count(rest.begin(), rest.end(), 't'), 2);
  EXPECT_GE(std::count(rest.begin(), rest.end(), 't'), 1);
}

TEST(process_pool, the_libraries_of_a_worker_use_so_many_threads) {
  const auto most = [] {
    return tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism);
  };
  process_pool one({.workers = 1, .threads_per_worker = 1});
  EXPECT_EQ(one.submit<most>().get(), 1U);
  EXPECT_EQ(one.submit<&variable>("OMP_NUM_THREADS").get(), "1");
  process_pool three({.workers = 1, .threads_per_worker = 3});
  EXPECT_EQ(three.submit<most>().get(), 3U);
  EXPECT_EQ(three.submit<&variable>("OMP_NUM_THREADS").get(), "3");
  process_pool alone({.workers = 1});
  EXPECT_EQ(alone.submit<most>().get(), most());
  const char* ours = std::getenv("OMP_NUM_THREADS");
  EXPECT_EQ(alone.submit<&variable>("OMP_NUM_THREADS").get(), ours == nullptr ? "" : ours);
}

TEST(process_pool, a_worker_is_replaced_after_its_share_of_calls) {
  process_pool pool({.workers = 1, .max_tasks_per_worker = 3});
  std::vector<int> ids;
  std::vector<future<int>> calls;
  for (int i = 0; i < 9; ++i) calls.push_back(pool.submit<&process_id>());
  for (auto& call : calls) ids.push_back(call.get());
  for (std::size_t i = 0; i < 9; i += 3) EXPECT_EQ(std::count(ids.begin(), ids.end(), ids[i]), 3);
  EXPECT_EQ(std::set<int>(ids.begin(), ids.end()).size(), 3U);
}

TEST(process_pool, options_that_cannot_work_are_named) {
  const auto message = [](weft::process_pool_options options) -> std::string {
    try {
      const process_pool pool(std::move(options));
    } catch (const weft::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message({.workers = -1}).find("workers is -1"), std::string::npos);
  EXPECT_NE(message({.retries = -1}).find("retries is -1"), std::string::npos);
  EXPECT_NE(message({.timeout = -1s}).find("timeout is"), std::string::npos);
  EXPECT_NE(message({.shutdown_timeout = -1ms}).find("shutdown_timeout is -1"), std::string::npos);
  EXPECT_NE(message({.environment = {{"A=B", "c"}}}).find("'A=B'"), std::string::npos);
  process_pool pool({.workers = 1});
  EXPECT_THROW(pool.with({.retries = -2}), weft::invalid_argument);
}

TEST(process_pool, the_destructor_runs_what_is_queued) {
  constexpr auto for_ever = std::chrono::milliseconds::max();
  for (const auto timeout : {weft::process_pool_options().shutdown_timeout, for_ever}) {
    std::vector<future<int>> calls;
    {
      process_pool pool({.workers = 2, .shutdown_timeout = timeout});
      for (int i = 0; i < 500; ++i) calls.push_back(pool.submit<&square>(i));
    }
    for (int i = 0; i < 500; ++i) EXPECT_EQ(calls[static_cast<std::size_t>(i)].get(), i * i);
  }
}

TEST(process_pool, several_pools_live_side_by_side) {
  process_pool one({.workers = 1});
  process_pool other({.workers = 1});
  EXPECT_NE(one.submit<&process_id>().get(), other.submit<&process_id>().get());
}

TEST(process_pool, threads_and_futures_race) {
  process_pool pool({.workers = 2});
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&pool, &wrong, t] {
      for (int round = 0; round < 200; ++round) {
        std::vector<future<int>> calls;
        for (int i = 0; i < 5; ++i) calls.push_back(pool.submit<&add>(t, i));
        for (int i = 0; i < 5; ++i) {
          auto& call = calls[static_cast<std::size_t>(i)];
          if ((round + i) % 7 == 0 && call.cancel()) {
            try {
              call.get();
              ++wrong;
            } catch (const weft::cancelled&) {
            }
          } else if (call.get() != t + i) {
            ++wrong;
          }
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST(process_pool, a_pool_threads_call_can_wait_for_a_process) {
  process_pool processes({.workers = 1});
  weft::thread_pool threads(1);
  EXPECT_EQ(threads.submit([&] { return processes.submit<&add>(1, 2).get(); }).get(), 3);
}

}  // namespace process_pool_test
