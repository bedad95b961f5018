#include <weft/observe/trace.hpp>

#include <weft/async/queue.hpp>
#include <weft/async/run.hpp>
#include <weft/async/stream.hpp>
#include <weft/async/task_group.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

namespace trace_test {

using weft::queue;
using weft::task;

/// What a trace of `body()` says.
template <class F>
std::string traced(F body) {
  const auto path =
      std::filesystem::temp_directory_path() / ("weft_async_trace_" + std::to_string(::getpid()) + ".json");
  weft::trace::start(path.string());
  body();
  weft::trace::stop();
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  std::filesystem::remove(path);
  return text.str();
}

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::string named(const std::string& name) {
  return "\"name\":\"" + name + "\"";
}

TEST(async_trace, shows_who_waits_for_a_queue_and_who_wakes_whom) {
  const std::string trace = traced([] {
    queue<int> items(1, "loaded");
    std::thread producer([&] {
      for (int i = 0; i < 3; ++i) {
        while (items.waiting_pops() == 0) std::this_thread::yield();
        items.push_wait(i);
      }
      items.close();
    });
    const auto consume = [](queue<int>& from) -> task<int> {
      int sum = 0;
      for (;;) {
        const std::optional<int> item = co_await from.pop();
        if (!item) co_return sum;
        sum += *item;
      }
    };
    EXPECT_EQ(weft::run(consume(items)), 3);
    producer.join();
  });
  EXPECT_GE(occurrences(trace, named("loaded")), 6U) << trace;  // begin and end of three waits at least
  EXPECT_NE(trace.find("\"empty\""), std::string::npos);
  EXPECT_GE(occurrences(trace, named("coroutine")), 3U);
  EXPECT_GE(occurrences(trace, named("wakes")), 6U);  // tails and heads
}

TEST(async_trace, has_a_row_for_each_stage) {
  const std::string trace = traced([] {
    const auto twice = [](int i) { return 2 * i; };
    const auto slowly = [](int i) -> task<int> { co_return i; };
    std::vector<int> numbers(10);
    const auto out =
        weft::run<std::vector<int>>(weft::from(numbers) | weft::map(twice) | weft::named("decode") |
                                    weft::prefetch(2) | weft::map(slowly, {.concurrency = 2}) |
                                    weft::named("fetch") | weft::collect() | weft::named("store"));
    EXPECT_EQ(out.size(), 10U);
  });
  EXPECT_GE(occurrences(trace, named("decode")), 10U) << trace;
  EXPECT_GE(occurrences(trace, named("fetch")), 20U);
  EXPECT_GE(occurrences(trace, named("store")), 10U);
}

}  // namespace trace_test
