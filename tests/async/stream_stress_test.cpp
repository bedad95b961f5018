#include <weft/async/stream.hpp>

#include <weft/async/task_group.hpp>
#include <weft/core/philox.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/thread_pool.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <future>
#include <stdexcept>
#include <string>
#include <vector>

#include "async/stream_fixtures.hpp"

namespace stream_stress_test {

using weft::from;
using weft::task;
using weft_test::numbers;
using weft_test::plain_pool;
using weft_test::tracked;
using weft_test::yield;

constexpr int item_count = 300;

/// How one pipeline is put together and how it ends.
struct scenario {
  explicit scenario(std::uint64_t seed) : random(seed) {}

  int draw(int bound) { return static_cast<int>(random.below(drawn++, static_cast<std::uint64_t>(bound))); }

  weft::map_options options() {
    weft::map_options result;
    result.concurrency = 1 + draw(4);
    result.order = draw(2) == 0 ? weft::ordered : weft::as_ready;
    result.buffer = static_cast<std::size_t>(result.concurrency + draw(6));
    return result;
  }

  weft::philox random;
  std::uint64_t drawn = 0;
};

enum class ending { finish, take, error, cancel };

struct broken_item : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Many stages with a random schedule; returns what came out at the end.
task<> run_line(scenario& chance, plain_pool& pool, tracked::census& all, ending how, std::vector<int>& out) {
  const int broken = how == ending::error ? chance.draw(item_count) : -1;
  const auto taken = how == ending::take ? static_cast<std::uint64_t>(chance.draw(item_count)) : item_count;
  const weft::philox pace = chance.random;
  const auto make = [&all](int i) { return tracked(all, i); };
  const auto later = [pace](tracked item) -> task<tracked> {
    co_await yield(static_cast<int>(pace.below(1000 + static_cast<std::uint64_t>(item.value), 4)));
    co_return item;
  };
  const auto work = [pace, broken](tracked item) {
    if (item.value == broken) throw broken_item("broken");
    volatile int spin = static_cast<int>(pace.below(5000 + static_cast<std::uint64_t>(item.value), 2000));
    while (spin > 0) spin = spin - 1;
    return item;
  };
  const auto two = [](tracked item) {
    std::vector<tracked> items;
    items.push_back(std::move(item));
    return from(std::move(items)) | weft::prefetch(1);
  };
  const auto ahead = static_cast<std::size_t>(1 + chance.draw(5));
  const auto keep = [&out](tracked item) { out.push_back(item.value); };
  co_await (from(numbers(item_count)) | weft::map(make) | weft::prefetch(ahead) |
            weft::map(later, chance.options()) | weft::map(pool, work, chance.options()) |
            weft::interleave(3, two) | weft::prefetch(ahead) | weft::take(taken) | weft::for_each(keep));
}

task<> run_and_cancel(scenario& chance, plain_pool& pool, tracked::census& all, std::vector<int>& out) {
  const int patience = chance.draw(200);
  auto body = [&](weft::task_group& group) -> task<> {
    group.spawn([&] { return run_line(chance, pool, all, ending::cancel, out); });
    co_await yield(patience);
    group.cancel();
  };
  co_await weft::with_task_group(body);
}

void expect_each_once(std::vector<int> out, std::size_t count) {
  EXPECT_EQ(out.size(), count);
  std::sort(out.begin(), out.end());
  EXPECT_EQ(std::adjacent_find(out.begin(), out.end()), out.end());
}

enum class outcome { finished, failed, cancelled };

/// Runs `line` on the threads. The exception stays there: handing it to this thread would be ordered by
/// libstdc++'s exception_ptr, which ThreadSanitizer cannot see into.
outcome outcome_on(boost::asio::thread_pool& threads, task<> line) {
  std::promise<outcome> result;
  auto observe = [](task<> work, std::promise<outcome>& out) -> task<> {
    outcome end = outcome::finished;
    try {
      co_await std::move(work);
    } catch (const weft::stage_error& error) {
      end = outcome::failed;
      EXPECT_TRUE(error.caused_by<broken_item>());
    } catch (const weft::cancelled&) {
      end = outcome::cancelled;
    }
    out.set_value(end);
  };
  boost::asio::co_spawn(threads, observe(std::move(line), result), boost::asio::detached);
  return result.get_future().get();
}

class stream_stress : public testing::TestWithParam<ending> {};

TEST_P(stream_stress, on_several_threads_loses_and_leaves_nothing) {
  boost::asio::thread_pool threads(3);
  plain_pool pool(2);
  for (std::uint64_t seed = 0; seed < 15; ++seed) {
    scenario chance(seed);
    tracked::census all;
    std::vector<int> out;
    task<> line = GetParam() == ending::cancel ? run_and_cancel(chance, pool, all, out)
                                               : run_line(chance, pool, all, GetParam(), out);
    const outcome end = outcome_on(threads, std::move(line));
    EXPECT_EQ(end == outcome::failed, GetParam() == ending::error) << "seed " << seed;
    EXPECT_TRUE(end != outcome::cancelled || GetParam() == ending::cancel);
    expect_each_once(out, GetParam() == ending::finish ? item_count : out.size());
    EXPECT_EQ(all.alive.load(), 0) << "seed " << seed;
  }
  threads.join();
}

INSTANTIATE_TEST_SUITE_P(endings, stream_stress,
                         testing::Values(ending::finish, ending::take, ending::error, ending::cancel),
                         [](const auto& each) {
                           switch (each.param) {
                             case ending::finish:
                               return "finish";
                             case ending::take:
                               return "take";
                             case ending::error:
                               return "error";
                             default:
                               return "cancel";
                           }
                         });

}  // namespace stream_stress_test
