#include <weft/pool/process_pool.hpp>

#include <weft/pool/shared_array.hpp>

#include "processes.hpp"

#include <gtest/gtest.h>

#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <latch>
#include <string>
#include <thread>
#include <vector>

// Every way to die, at every time, and the pool is used again afterwards.

namespace process_faults_test {

using namespace std::chrono_literals;
using weft::future;
using weft::process_pool;
using weft::worker_died;

enum class way { segmentation_fault, kill, exit, abort, stack_overflow, terminate };

int overflow_stack(volatile const char* above) {
  volatile char here[4096];
  here[0] = *above;
  if (here[0] == 'y') return 0;  // never, but the compiler does not know
  return overflow_stack(here) + here[0];
}

void die(way how) {
  std::fputs("last words\n", stderr);
  std::signal(SIGSEGV, SIG_DFL);  // a sanitizer would describe it first, for seconds
  switch (how) {
    case way::segmentation_fault:
      ::raise(SIGSEGV);
      break;
    case way::kill:
      ::raise(SIGKILL);
      break;  // as the kernel does when memory is out
    case way::exit:
      ::_exit(3);
    case way::abort:
      std::abort();
    case way::stack_overflow:
      overflow_stack("x");
      break;
    case way::terminate:
      std::thread([] { throw 1; }).join();
      break;
  }
}

int expected_signal(way how) {
  switch (how) {
    case way::segmentation_fault:
    case way::stack_overflow:
      return SIGSEGV;
    case way::kill:
      return SIGKILL;
    case way::abort:
      return SIGABRT;
    case way::terminate:
      return SIGABRT;
    default:
      return 0;
  }
}

int answer(int value) {
  return value + 1;
}
int die_if(int value, int fatal, way how) {
  if (value == fatal) die(how);
  return value;
}
int process_id() {
  return ::getpid();
}
void hang() {
  weft::report_progress(1);
  for (;;) ::pause();
}

// Dies when half of it has been written.
struct torn {
  std::vector<char> half;
  int how = 0;
  template <class Archive>
  void save(Archive& archive) const {
    archive(half);
    die(static_cast<way>(how));
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(half);
  }
};
torn send_half(int how) {
  return {std::vector<char>(300'000), how};
}

void dies_with(future<int>& call, way how) {
  try {
    call.get();
    ADD_FAILURE() << "the call has not failed";
  } catch (const worker_died& error) {
    const std::string what = error.what();
    if (expected_signal(how) != 0) {
      EXPECT_EQ(error.signal(), expected_signal(how)) << what;
    } else {
      EXPECT_EQ(error.signal(), 0) << what;
      EXPECT_NE(error.exit_code(), 0) << what;
    }
    EXPECT_NE(error.last_output().find("last words"), std::string::npos) << what;
    EXPECT_NE(what.find("die_if"), std::string::npos) << what;
  }
}

class process_faults : public testing::TestWithParam<way> {};

// Neither descriptors nor processes nor shared memory are left by pools whose workers died.
class leak_check {
 public:
  leak_check() {
    { process_pool warm({.workers = 1}); }  // starts the zygote, which stays
    descriptors_ = open_descriptors();
    children_ = children();
    mappings_ = shared_mappings();
  }
  leak_check(const leak_check&) = delete;
  leak_check& operator=(const leak_check&) = delete;
  ~leak_check() {
    EXPECT_EQ(open_descriptors(), descriptors_);
    EXPECT_EQ(children(), children_);
    EXPECT_LE(shared_mappings(), mappings_ + spare_mappings);
  }
  static constexpr std::size_t spare_mappings = 4;  // memory of large messages is kept for the next ones

 private:
  std::size_t descriptors_;
  std::size_t children_;
  std::size_t mappings_;
};

TEST_P(process_faults, in_the_middle_of_a_call) {
  const leak_check check;
  process_pool pool({.workers = 2, .forward_stderr = false});
  std::vector<future<int>> calls;
  for (int i = 0; i < 40; ++i) calls.push_back(pool.submit<&die_if>(i, i % 10 == 5 ? i : -1, GetParam()));
  for (int i = 0; i < 40; ++i) {
    auto& call = calls[static_cast<std::size_t>(i)];
    if (i % 10 == 5) {
      dies_with(call, GetParam());
    } else {
      EXPECT_EQ(call.get(), i);
    }
  }
  EXPECT_EQ(pool.map<&answer>(std::vector<int>{1, 2, 3}), (std::vector<int>{2, 3, 4}));
}

TEST_P(process_faults, while_it_sends_a_large_result) {
  const leak_check check;
  process_pool pool({.workers = 1, .forward_stderr = false});
  for (int round = 0; round < 3; ++round) {
    EXPECT_THROW(pool.submit<&send_half>(static_cast<int>(GetParam())).get(), worker_died);
    EXPECT_EQ(pool.submit<&answer>(1).get(), 2);
  }
}

TEST_P(process_faults, during_start) {
  const leak_check check;
  process_pool pool(
      {.workers = 2, .initializer = weft::remote_call::of<&die>(GetParam()), .forward_stderr = false});
  for (int round = 0; round < 2; ++round) {
    auto call = pool.submit<&answer>(1);
    try {
      call.get();
      FAIL() << "a worker started";
    } catch (const worker_died& error) {
      EXPECT_NE(std::string(error.what()).find("while it started"), std::string::npos) << error.what();
      EXPECT_NE(error.last_output().find("last words"), std::string::npos) << error.what();
    }
  }
}

TEST_P(process_faults, during_shutdown) {
  const leak_check check;
  for (int round = 0; round < 2; ++round) {
    process_pool pool(
        {.workers = 2, .teardown = weft::remote_call::of<&die>(GetParam()), .forward_stderr = false});
    EXPECT_EQ(pool.submit<&answer>(1).get(), 2);
  }
}

TEST_P(process_faults, a_call_may_be_repeated) {
  process_pool pool({.workers = 1, .retries = 2, .forward_stderr = false});
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  // Each attempt leaves a byte; the third finds two and lives.
  const auto attempt = [](int parent, int input, int output, way how) -> int {
    const auto open = [parent](int number, const char* mode) {
      return std::fopen(("/proc/" + std::to_string(parent) + "/fd/" + std::to_string(number)).c_str(), mode);
    };
    std::FILE* out = open(output, "w");
    std::fputc('x', out);
    std::fclose(out);
    std::FILE* in = open(input, "r");
    int waiting = 0;
    ::ioctl(::fileno(in), FIONREAD, &waiting);
    std::fclose(in);
    if (waiting < 3) die(how);
    return waiting;
  };
  EXPECT_EQ(pool.submit<attempt>(::getpid(), ends[0], ends[1], GetParam()).get(), 3);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_P(process_faults, a_call_may_be_repeated_more_or_less_often_than_others) {
  const auto attempt = [](weft::shared_array<int> attempts, int lives, way how) -> int {
    if (++attempts[0] < lives) die(how);
    return attempts[0];
  };
  process_pool pool({.workers = 1, .retries = 1, .forward_stderr = false});
  const weft::shared_array<int> more(1);
  EXPECT_EQ(pool.with({.retries = 2}).submit<attempt>(more, 3, GetParam()).get(), 3);
  const weft::shared_array<int> fewer(1);
  EXPECT_THROW(pool.with({.retries = 0}).submit<attempt>(fewer, 3, GetParam()).get(), worker_died);
  EXPECT_EQ(fewer[0], 1);
  EXPECT_THROW(pool.submit<attempt>(fewer, 4, GetParam()).get(), worker_died);
  EXPECT_EQ(fewer[0], 3);
}

INSTANTIATE_TEST_SUITE_P(all, process_faults,
                         testing::Values(way::segmentation_fault, way::kill, way::exit, way::abort,
                                         way::stack_overflow, way::terminate));

TEST(process_faults_between, a_worker_that_is_killed_while_idle_is_replaced) {
  const leak_check check;
  process_pool pool({.workers = 1});
  for (int round = 0; round < 5; ++round) {
    const int id = pool.submit<&process_id>().get();
    const watched_process worker(id);
    ASSERT_EQ(::kill(id, SIGKILL), 0);
    ASSERT_TRUE(worker.wait());
    EXPECT_NE(pool.submit<&process_id>().get(), id);
  }
}

TEST(process_faults_between, one_call_in_a_hundred_kills_its_worker_and_all_others_succeed) {
  const leak_check check;
  process_pool pool({.workers = 2, .forward_stderr = false});
  std::vector<future<int>> calls;
  const int count = sanitized ? 500 : 3000;
  for (int i = 0; i < count; ++i) calls.push_back(pool.submit<&die_if>(i, i % 100 == 50 ? i : -1, way::exit));
  int died = 0;
  for (int i = 0; i < count; ++i) {
    try {
      EXPECT_EQ(calls[static_cast<std::size_t>(i)].get(), i);
    } catch (const worker_died& error) {
      EXPECT_EQ(i % 100, 50) << error.what();
      EXPECT_EQ(error.exit_code(), 3);
      ++died;
    }
  }
  EXPECT_EQ(died, count / 100);
}

TEST(process_faults_between, the_zygote_itself_is_replaced) {
  const leak_check check;
  process_pool pool({.workers = 2});
  const int id = pool.submit<&process_id>().get();
  const int zygote = parent_of(id);
  ASSERT_NE(zygote, ::getpid());
  std::latch running(1);
  const auto note = [&](weft::progress_message&) { running.count_down(); };
  auto call = pool.with({.on_progress = note}).submit<&hang>();
  running.wait();
  ASSERT_EQ(::kill(zygote, SIGKILL), 0);
  EXPECT_THROW(call.get(), worker_died);
  EXPECT_EQ(pool.submit<&answer>(1).get(), 2);
}

TEST(process_faults_limits, a_hung_worker_is_killed_and_replaced) {
  const leak_check check;
  process_pool pool({.workers = 2, .timeout = 20ms});
  auto hung = pool.submit<&hang>();
  auto also = pool.submit<&hang>();
  auto unlimited = pool.with({.timeout = 0ms});
  auto fine = unlimited.submit<&answer>(1);
  EXPECT_EQ(fine.get(), 2);
  try {
    hung.get();
    FAIL() << "it returned";
  } catch (const weft::timeout_error& error) {
    EXPECT_NE(std::string(error.what()).find("hang"), std::string::npos) << error.what();
  }
  EXPECT_THROW(also.get(), weft::timeout_error);
  EXPECT_THROW(pool.with({.timeout = 1ms}).submit<&hang>().get(), weft::timeout_error);
  EXPECT_EQ(unlimited.submit<&answer>(2).get(), 3);
}

TEST(process_faults_limits, a_worker_that_takes_too_much_memory_is_killed) {
  const leak_check check;
  process_pool pool({.workers = 1, .memory_limit = 256U << 20U});
  const auto leak = [] {
    std::vector<char*> all;
    for (;;) {
      auto* block = static_cast<char*>(std::malloc(8U << 20U));
      if (all.size() < 100) std::memset(block, 1, 8U << 20U);
      all.push_back(block);
      if (all.size() >= 100) hang();
    }
  };
  try {
    pool.submit<leak>().get();
    FAIL() << "it returned";
  } catch (const weft::memory_limit_exceeded& error) {
    EXPECT_NE(std::string(error.what()).find("memory_limit"), std::string::npos) << error.what();
  }
  EXPECT_EQ(pool.submit<&answer>(1).get(), 2);
}

TEST(process_faults_limits, a_worker_that_does_not_start_in_time_is_reported) {
  const leak_check check;
  process_pool pool({.workers = 1, .initializer = weft::remote_call::of<&hang>(), .start_timeout = 50ms});
  try {
    pool.submit<&answer>(1).get();
    FAIL() << "it started";
  } catch (const worker_died& error) {
    EXPECT_NE(std::string(error.what()).find("start_timeout"), std::string::npos) << error.what();
  }
}

TEST(process_faults_limits, a_worker_that_does_not_leave_in_time_is_killed) {
  const leak_check check;
  process_pool pool({.workers = 1, .teardown = weft::remote_call::of<&hang>(), .start_timeout = 200ms});
  int answered = 0;
  while (answered == 0) {
    try {
      answered = pool.submit<&answer>(1).get();
    } catch (const worker_died&) {  // the time is that to start, too, which a busy machine may not keep
    }
  }
  EXPECT_EQ(answered, 2);
}

TEST(process_faults_limits, a_destroyed_pool_does_not_wait_for_a_hung_call) {
  const leak_check check;
  future<void> hung;
  future<int> waiting;
  std::latch running(1);
  {
    process_pool pool({.workers = 1, .retries = 3, .shutdown_timeout = 20ms});
    const auto note = [&](weft::progress_message&) { running.count_down(); };
    hung = pool.with({.on_progress = note}).submit<&hang>();
    running.wait();
    waiting = pool.with({.priority = -1}).submit<&answer>(1);
  }
  ASSERT_TRUE(hung.ready());
  ASSERT_TRUE(waiting.ready());
  const auto reason = [](auto& call) -> std::string {
    try {
      call.get();
    } catch (const weft::pool_closed& error) {
      return error.what();
    }
    return "it returned";
  };
  const std::string of_hung = reason(hung);
  EXPECT_NE(of_hung.find("hang did not finish within shutdown_timeout"), std::string::npos) << of_hung;
  const std::string of_waiting = reason(waiting);
  EXPECT_NE(of_waiting.find("answer had begun"), std::string::npos) << of_waiting;
}

TEST(process_faults_limits, a_destroyed_pool_does_not_wait_for_workers_that_do_not_start) {
  const leak_check check;
  future<int> call;
  {
    process_pool pool(
        {.workers = 2, .initializer = weft::remote_call::of<&hang>(), .shutdown_timeout = 20ms});
    call = pool.submit<&answer>(1);
  }
  EXPECT_THROW(call.get(), weft::pool_closed);
}

TEST(process_faults_limits, a_pool_with_no_time_to_shut_down_ends_at_once) {
  const leak_check check;
  std::vector<future<void>> calls;
  {
    process_pool pool({.workers = 2, .shutdown_timeout = 0ms});
    for (int i = 0; i < 300; ++i) calls.push_back(pool.submit<&hang>());  // more than are sent ahead
  }
  for (auto& call : calls) EXPECT_THROW(call.get(), weft::pool_closed);
}

TEST(process_faults_limits, what_the_initializer_throws_reaches_the_calls) {
  const leak_check check;
  const auto refuse = [] { throw weft::invalid_argument("no such device"); };
  process_pool pool({.workers = 2, .initializer = weft::remote_call::of<refuse>()});
  for (int round = 0; round < 2; ++round) EXPECT_THROW(pool.submit<&answer>(1).get(), weft::invalid_argument);
}

TEST(process_faults_limits, a_call_is_repeated_after_a_listed_exception_only) {
  process_pool pool({.workers = 1, .retries = 3, .retry_on = {weft::kind_of<std::out_of_range>}});
  const auto fail_twice = [](bool listed) {
    static int calls = 0;
    if (++calls < 3 && listed) throw std::out_of_range("again");
    if (!listed) throw std::runtime_error("for good");
    return calls;
  };
  EXPECT_EQ(pool.submit<fail_twice>(true).get(), 3);
  EXPECT_THROW(pool.submit<fail_twice>(false).get(), std::runtime_error);
  EXPECT_EQ(pool.submit<fail_twice>(true).get(), 5);
}

TEST(process_faults_parent, workers_leave_when_the_parent_is_killed) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    process_pool pool({.workers = 2});
    pool.submit<&hang>();
    auto last = pool.submit<&hang>();
    auto ids = pool.process_ids();
    while (ids.size() < 2) {  // both are needed, so both are started
      std::this_thread::yield();
      ids = pool.process_ids();
    }
    [[maybe_unused]] const auto written = ::write(ends[1], ids.data(), 2 * sizeof(int));
    last.wait();
    ::_exit(1);
  }
  std::array<int, 2> ids{};
  ASSERT_EQ(::read(ends[0], ids.data(), sizeof(ids)), static_cast<ssize_t>(sizeof(ids)));
  const watched_process one(ids[0]);
  const watched_process other(ids[1]);
  ASSERT_EQ(::kill(parent, SIGKILL), 0);
  ASSERT_EQ(::waitpid(parent, nullptr, 0), parent);
  EXPECT_TRUE(one.wait());
  EXPECT_TRUE(other.wait());
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace process_faults_test
