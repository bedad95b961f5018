#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>      // for std::atomic
#include <cstdio>      // for std::FILE
#include <cstdlib>     // for std::getenv
#include <filesystem>  // for std::filesystem::path
#include <latch>       // for std::latch
#include <limits>      // for std::numeric_limits
#include <map>         // for std::map
#include <memory>      // for std::unique_ptr
#include <optional>    // for std::optional
#include <sstream>     // for std::istringstream
#include <stdexcept>   // for std::runtime_error
#include <string>      // for std::string
#include <thread>      // for std::thread
#include <vector>      // for std::vector
#include <weft/core/error.hpp>
#include <weft/observe/span.hpp>
#include <weft/observe/trace.hpp>

namespace trace_test {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

struct event {
  std::string phase;
  std::string thread;
  std::string name;
  double begin = 0;     // microseconds
  double duration = 0;  // microseconds
  std::string id;
  std::string arguments;

  double end() const { return begin + duration; }
};

struct trace_content {
  std::vector<event> events;
  std::map<std::string, std::string> threads;  // names by id
  std::map<std::string, std::string> other;

  std::vector<event> named(const std::string& name) const {
    std::vector<event> found;
    for (const event& e : events) {
      if (e.name == name) found.push_back(e);
    }
    return found;
  }
};

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream stream(line);
  for (std::string field; std::getline(stream, field, '\t');) fields.push_back(field);
  fields.resize(7);
  return fields;
}

trace_content read(const fs::path& path) {
  const std::string command = "python3 '" WEFT_TEST_DATA_DIR "/read_trace.py' '" + path.string() + "' 2>&1";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("no shell");
  std::string output;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) output += static_cast<char>(c);
  if (::pclose(pipe) != 0) throw std::runtime_error("not a trace: " + output);
  trace_content content;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const auto f = split(line);
    if (f[0] == "O") {
      content.other[f[1]] = f[2];
    } else if (f[0] == "M") {
      if (f[2] == "thread_name") content.threads[f[1]] = f[3];
    } else {
      content.events.push_back({f[0], f[1], f[2], std::stod(f[3]), std::stod(f[4]), f[5], f[6]});
    }
  }
  return content;
}

class trace : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    path_ =
        fs::path(testing::TempDir()) / ("weft_" + std::to_string(::getpid()) + "_" + test->name() + ".json");
  }
  void TearDown() override {
    weft::trace::stop();
    fs::remove(path_);
  }

  trace_content stop_and_read() {
    weft::trace::stop();
    return read(path_);
  }

  fs::path path_;
};

TEST_F(trace, nothing_is_recorded_unless_asked_for) {
  EXPECT_FALSE(weft::trace::enabled());
  {
    weft::span before("before");
    EXPECT_EQ(weft::trace::flow_out("flow"), 0U);
    weft::trace::instant("before");
    weft::trace::start(path_);
  }
  EXPECT_TRUE(weft::trace::enabled());
  const auto content = stop_and_read();
  EXPECT_FALSE(weft::trace::enabled());
  EXPECT_TRUE(content.events.empty());
  EXPECT_EQ(content.other.at("dropped_events"), "0");
}

TEST_F(trace, spans_nest_and_carry_arguments) {
  weft::trace::start(path_);
  {
    weft::span outer("outer", "bytes", 4096);
    weft::span inner("inner");
    inner.end();
    inner.end();
    weft::span second("inner");
    outer.argument("bytes", 8192);
  }
  const auto content = stop_and_read();
  const auto outer = content.named("outer");
  const auto inner = content.named("inner");
  ASSERT_EQ(outer.size(), 1U);
  ASSERT_EQ(inner.size(), 2U);
  EXPECT_EQ(outer[0].phase, "X");
  EXPECT_EQ(outer[0].arguments, R"({"bytes": 8192})");
  EXPECT_EQ(content.threads.at(outer[0].thread), "main");
  EXPECT_LE(outer[0].begin, inner[0].begin);
  EXPECT_LE(inner[0].end(), inner[1].begin + 0.002);
  EXPECT_GE(outer[0].end() + 0.002, inner[1].end());
  EXPECT_EQ(content.other.at("recorded_events"), "3");
}

TEST_F(trace, times_are_those_of_the_steady_clock) {
  weft::trace::start(path_);
  const auto before = std::chrono::steady_clock::now();
  {
    weft::span work("work");
    while (std::chrono::steady_clock::now() - before < 20ms) {
    }
  }
  const auto after = std::chrono::steady_clock::now();
  const auto work = stop_and_read().named("work").at(0);
  const auto microseconds = [](auto time) {
    return std::chrono::duration<double, std::micro>(time.time_since_epoch()).count();
  };
  // Two readings of clocks that are compared at the ends of the recording: within a microsecond.
  EXPECT_GE(work.begin, microseconds(before) - 1);
  EXPECT_LE(work.end(), microseconds(after) + 1);
  EXPECT_GE(work.duration, 20'000 - 1);
}

TEST_F(trace, threads_have_names_and_outlive_themselves) {
  weft::trace::name_thread("the main one");
  weft::trace::start(path_);
  std::thread([] {
    weft::trace::name_thread("early");
    weft::span work("work");
  }).join();
  std::thread([] {
    weft::span work("work");
    work.end();
    weft::trace::name_thread("late");
  }).join();
  weft::trace::instant("here");
  const auto content = stop_and_read();
  const auto work = content.named("work");
  ASSERT_EQ(work.size(), 2U);
  EXPECT_NE(work[0].thread, work[1].thread);
  std::vector<std::string> names;
  for (const event& e : work) names.push_back(content.threads.at(e.thread));
  EXPECT_EQ(names, (std::vector<std::string>{"early", "late"}));
  EXPECT_EQ(content.threads.at(content.named("here").at(0).thread), "the main one");
  weft::trace::name_thread("main");
}

TEST_F(trace, async_spans_overlap_move_and_end_elsewhere) {
  weft::trace::start(path_);
  {
    weft::async_span first("wait");
    weft::async_span second("wait");
    weft::async_span third(std::move(first));
    third.argument("items", 3);
    std::thread([moved = std::move(second)]() mutable { moved.end(); }).join();
    second = std::move(third);
  }
  const auto wait = stop_and_read().named("wait");
  ASSERT_EQ(wait.size(), 4U);
  std::map<std::string, int> ids;
  for (const event& e : wait) ++ids[e.id];
  EXPECT_EQ(ids.size(), 2U);
}

TEST_F(trace, arrows_join_a_producer_and_a_consumer) {
  weft::trace::start(path_);
  std::uint64_t flow = 0;
  {
    weft::span produce("produce");
    flow = weft::trace::flow_out("item");
  }
  EXPECT_NE(flow, 0U);
  std::thread([flow] {
    weft::span consume("consume");
    weft::trace::flow_in("item", flow);
    weft::trace::flow_in("item", 0);
  }).join();
  const auto content = stop_and_read();
  const auto ends = content.named("item");
  ASSERT_EQ(ends.size(), 2U);
  EXPECT_EQ(ends[0].id, ends[1].id);
  for (const event& end : ends) {
    const event span = content.named(end.phase == "s" ? "produce" : "consume").at(0);
    EXPECT_EQ(end.thread, span.thread);
    EXPECT_GE(end.begin, span.begin);
    EXPECT_LE(end.begin, span.end() + 0.002);
  }
}

TEST_F(trace, flows_of_different_threads_differ) {
  weft::trace::start(path_);
  std::vector<std::vector<std::uint64_t>> flows(4);
  std::vector<std::thread> workers;
  for (auto& own : flows) {
    workers.emplace_back([&own] {
      for (int i = 0; i < 3000; ++i) own.push_back(weft::trace::flow_out("f"));
    });
  }
  for (std::thread& worker : workers) worker.join();
  std::map<std::uint64_t, int> seen;
  for (const auto& own : flows) {
    for (const std::uint64_t flow : own) ++seen[flow];
  }
  EXPECT_EQ(seen.size(), 12'000U);
}

TEST_F(trace, curves_instants_and_rows) {
  weft::trace::start(path_);
  weft::trace::value("depth", 3);
  weft::trace::value("depth", std::numeric_limits<double>::infinity());
  weft::trace::instant("closed");
  const weft::trace::track stream("cuda:0 stream 1");
  const auto now = std::chrono::steady_clock::now();
  stream.span("gemm", now, now + 1500ns);
  const auto content = stop_and_read();
  EXPECT_EQ(content.named("depth").at(0).arguments, R"({"value": 3})");
  EXPECT_EQ(content.named("depth").at(1).arguments, R"({"value": "inf"})");
  EXPECT_EQ(content.named("closed").at(0).phase, "i");
  const auto gemm = content.named("gemm").at(0);
  EXPECT_EQ(gemm.duration, 1.5);
  EXPECT_EQ(content.threads.at(gemm.thread), "cuda:0 stream 1");
}

TEST_F(trace, any_text_may_be_a_name) {
  const auto tail = weft::trace::intern("a\"b\\c\x01 d\xff \xC3\xA9 \xED\xA0\x80");
  EXPECT_EQ(weft::trace::intern(tail.c_str()).c_str(), tail.c_str());
  weft::trace::name_thread("\"quoted\" \n");
  weft::trace::start(path_);
  weft::trace::instant(tail);
  const auto content = stop_and_read();
  EXPECT_EQ(content.events.at(0).name, "a\"b\\c\x01 d? \xC3\xA9 ???");
  weft::trace::name_thread("main");
}

TEST_F(trace, memory_is_bounded_and_what_was_dropped_is_said) {
  constexpr std::size_t memory = 256 * 1024;
  constexpr int threads = 4;
  constexpr int each = 10'000;
  weft::trace::start(path_, {.memory = memory});
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([] {
      for (int k = 0; k < each; ++k) weft::span work("work");
    });
  }
  for (std::thread& worker : workers) worker.join();
  const std::uint64_t dropped = weft::trace::dropped();
  EXPECT_GT(dropped, 0U);
  const auto content = stop_and_read();
  EXPECT_EQ(weft::trace::dropped(), dropped);
  EXPECT_EQ(content.other.at("dropped_events"), std::to_string(dropped));
  EXPECT_EQ(content.other.at("memory_bytes"), std::to_string(memory));
  const std::size_t recorded = content.named("work").size();
  EXPECT_EQ(recorded + dropped, std::size_t{threads} * each);
  EXPECT_LE(recorded * 32, memory);
  EXPECT_GE(recorded * 32, memory / 2);
  EXPECT_EQ(content.events.back().name,
            std::to_string(dropped) + " events dropped: the trace's memory was used up");
}

TEST_F(trace, too_little_memory_for_anything_drops_everything) {
  weft::trace::start(path_, {.memory = 1});
  for (int i = 0; i < 10; ++i) weft::trace::instant("x");
  std::thread([] { weft::trace::instant("x"); }).join();
  const auto content = stop_and_read();
  EXPECT_EQ(content.other.at("dropped_events"), "11");
  EXPECT_TRUE(content.named("x").empty());
}

// Threads that only begin and end must not use up the memory of the recordings after theirs.
TEST_F(trace, a_recording_gives_its_memory_back) {
  for (int round = 0; round < 20; ++round) {
    weft::trace::start(path_, {.memory = 64 * 1024});
    for (int i = 0; i < 5; ++i) {
      std::thread([] {
        for (int k = 0; k < 100; ++k) weft::trace::instant("x");
      }).join();
    }
    for (int k = 0; k < 100; ++k) weft::trace::instant("x");
    weft::trace::stop();
    ASSERT_EQ(weft::trace::dropped(), 0U) << "round " << round;
  }
  EXPECT_EQ(read(path_).named("x").size(), 600U);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool allocations_are_counted = false;
#else
constexpr bool allocations_are_counted = true;
#endif

std::size_t allocated_bytes() {
  const auto now = ::mallinfo2();
  return now.uordblks + now.hblkhd;
}

// A thread that runs on without recording anything must not keep the memory of the recordings after its own.
TEST_F(trace, memory_of_an_idle_thread_serves_the_next_recording) {
  constexpr std::size_t memory = std::size_t{1} << 20;
  std::latch recorded(1);
  std::latch done(1);
  const std::size_t before = allocated_bytes();
  weft::trace::start(path_, {.memory = memory});
  std::thread idle([&] {
    for (std::size_t k = 0; k < memory / 2 / 32; ++k) weft::trace::instant("first");
    recorded.count_down();
    done.wait();
    weft::trace::instant("last");
  });
  recorded.wait();
  const std::size_t during = allocated_bytes();
  weft::trace::stop();
  if (allocations_are_counted) {
    EXPECT_GE(during, before + memory / 2);
    EXPECT_LE(allocated_bytes(), before + memory / 8);
  }

  weft::trace::start(path_, {.memory = memory});
  while (weft::trace::dropped() == 0) weft::trace::instant("second");
  const auto second = stop_and_read();
  EXPECT_GE(second.named("second").size() * 32, memory / 2);
  EXPECT_TRUE(second.named("first").empty());

  weft::trace::start(path_, {.memory = memory});
  done.count_down();
  idle.join();
  const auto third = stop_and_read();
  EXPECT_EQ(third.events.size(), 1U);
  EXPECT_EQ(third.named("last").size(), 1U);
}

TEST_F(trace, a_second_recording_has_only_its_own_events) {
  weft::trace::start(path_);
  weft::trace::instant("first");
  std::optional<weft::span> across;
  across.emplace(weft::trace_name("across"));
  const std::uint64_t flow = weft::trace::flow_out("first");
  weft::trace::stop();
  weft::trace::instant("between");
  weft::trace::start(path_);
  across.reset();
  weft::trace::flow_in("first", flow);
  weft::trace::instant("second");
  const auto content = stop_and_read();
  ASSERT_EQ(content.events.size(), 1U);
  EXPECT_EQ(content.events[0].name, "second");
}

TEST_F(trace, says_what_is_wrong_with_its_file) {
  try {
    weft::trace::start("/nonexistent/trace.json");
    FAIL() << "a file was created in a folder that does not exist";
  } catch (const weft::io_error& e) {
    EXPECT_EQ(std::string(e.what()),
              "/nonexistent/trace.json: cannot create the trace: No such file or directory");
  }
  EXPECT_FALSE(weft::trace::enabled());
  weft::trace::start(path_);
  EXPECT_THROW(weft::trace::start(path_), weft::error);
  EXPECT_TRUE(weft::trace::enabled());
}

TEST_F(trace, says_when_its_file_cannot_be_written) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  weft::trace::start("/dev/full");
  weft::trace::instant("x");
  EXPECT_THROW(weft::trace::stop(), weft::io_error);
  EXPECT_FALSE(weft::trace::enabled());
  weft::trace::start(path_);
  weft::trace::instant("y");
  EXPECT_EQ(stop_and_read().events.size(), 1U);
}

TEST_F(trace, threads_record_while_recordings_start_and_stop) {
  std::atomic<bool> done{false};
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i) {
    workers.emplace_back([&] {
      while (!done) {
        weft::span outer("outer", "k", 1);
        const std::uint64_t flow = weft::trace::flow_out("f");
        weft::async_span wait("wait");
        weft::trace::flow_in("f", flow);
        std::thread([] { weft::span brief("brief"); }).join();
      }
    });
  }
  for (int round = 0; round < 25; ++round) {
    weft::trace::start(path_, {.memory = 1 << 18});
    while (weft::trace::dropped() == 0 && !done) {
      for (int k = 0; k < 5000; ++k) weft::trace::value("v", k);
    }
    weft::trace::stop();
  }
  done = true;
  for (std::thread& worker : workers) worker.join();
  EXPECT_NE(read(path_).other.at("recorded_events"), "0");
}

TEST_F(trace, a_forked_child_does_not_touch_its_parents_file) {
  weft::trace::start(path_);
  weft::trace::instant("parent");
  const auto child_path = path_.string() + ".child";
  const ::pid_t child = ::fork();
  if (child == 0) {
    if (weft::trace::enabled()) std::_Exit(1);
    weft::trace::instant("lost");
    weft::trace::start(child_path);
    weft::trace::instant("child");
    weft::trace::stop();
    std::_Exit(0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  const auto in_child = read(child_path);
  ASSERT_EQ(in_child.events.size(), 1U);
  EXPECT_EQ(in_child.events[0].name, "child");
  fs::remove(child_path);
  const auto in_parent = stop_and_read();
  ASSERT_EQ(in_parent.events.size(), 1U);
  EXPECT_EQ(in_parent.events[0].name, "parent");
}

// The program that the next tests run with WEFT_TRACE in its environment.
TEST(trace_environment, DISABLED_traced_program) {
  std::thread([] {
    weft::trace::name_thread("worker");
    weft::span work("work");
  }).join();
  static std::thread never_joined([] {
    weft::trace::instant("alive at exit");
    for (;;) ::pause();
  });
  never_joined.detach();
}

int run_traced(const std::string& environment) {
  const std::string program = fs::read_symlink("/proc/self/exe");
  return std::system((environment + " '" + program +
                      "' --gtest_also_run_disabled_tests --gtest_filter=trace_environment.DISABLED_* "
                      ">/dev/null 2>&1")
                         .c_str());
}

TEST_F(trace, the_environment_switches_it_on_for_the_whole_program) {
  ASSERT_EQ(run_traced("WEFT_TRACE='" + path_.string() + "'"), 0);
  const auto content = read(path_);
  EXPECT_EQ(content.threads.at(content.named("work").at(0).thread), "worker");
}

TEST_F(trace, the_file_may_be_named_after_the_process) {
  const fs::path folder = path_.string() + ".d";
  fs::create_directory(folder);
  ASSERT_EQ(run_traced("WEFT_TRACE_MEMORY=1 WEFT_TRACE='" + folder.string() + "/%p.json'"), 0);
  const fs::directory_iterator files(folder);
  ASSERT_NE(files, fs::directory_iterator());
  const fs::path file = files->path();
  EXPECT_EQ(file.stem().string().find_first_not_of("0123456789"), std::string::npos) << file;
  EXPECT_EQ(read(file).other.at("memory_bytes"), "1048576");
  fs::remove_all(folder);
}

TEST_F(trace, an_environment_that_cannot_be_obeyed_ends_the_program_at_once) {
  EXPECT_NE(run_traced("WEFT_TRACE=/nonexistent/x.json"), 0);
  EXPECT_NE(run_traced("WEFT_TRACE_MEMORY=much WEFT_TRACE='" + path_.string() + "'"), 0);
}

}  // namespace trace_test
