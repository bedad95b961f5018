// All that waits, mixed at random and cancelled at random: tokens that wander through queues and hands must
// all be there at the end, permits must be back, and locks free.

#include <weft/async/async_mutex.hpp>
#include <weft/async/broadcast.hpp>
#include <weft/async/event.hpp>
#include <weft/async/latch.hpp>
#include <weft/async/latest.hpp>
#include <weft/async/queue.hpp>
#include <weft/async/race.hpp>
#include <weft/async/semaphore.hpp>
#include <weft/async/sleep.hpp>
#include <weft/async/task_group.hpp>
#include <weft/async/timeout.hpp>

#include <async/coroutines.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <numeric>
#include <optional>
#include <random>
#include <thread>
#include <vector>

namespace structured_stress_test {

using namespace weft_test;
using weft::queue;
using weft::task;
using weft::task_group;
using weft::with_task_group;

constexpr int token_count = 12;
constexpr std::size_t permit_count = 3;

struct world {
  std::array<queue<int>, 3> places{queue<int>(token_count), queue<int>(3), queue<int>(1)};
  weft::semaphore permits{permit_count};
  std::atomic<std::size_t> permits_out{0};
  weft::async_mutex mutex;
  long guarded = 0;  // by the mutex
  std::atomic<long> locked_times{0};
  weft::latest<int> slot;
  weft::broadcast<int> news{2};
  weft::event signal;

  std::mutex dropped_lock;
  std::vector<int> dropped;  // tokens of hands that were cancelled
};

/// The tokens that one coroutine has; those that it ends with are put down.
struct hand {
  explicit hand(world& around) : home(around) {}
  hand(const hand&) = delete;
  hand& operator=(const hand&) = delete;
  ~hand() {
    const std::lock_guard lock(home.dropped_lock);
    home.dropped.insert(home.dropped.end(), tokens.begin(), tokens.end());
  }
  void take(const std::optional<int>& token) {
    if (token) tokens.push_back(*token);
  }
  world& home;
  std::vector<int> tokens;
};

task<> wander(world& all, unsigned seed, int depth) {
  std::mt19937 random(seed);
  hand own(all);
  std::uint64_t seen = 0;
  for (int step = 0; step < 40; ++step) {
    auto& place = all.places[random() % all.places.size()];
    auto& other = all.places[random() % all.places.size()];
    const auto limit = std::chrono::microseconds(random() % 60);
    const auto what = random() % 12;
    try {
      if (what == 0) {
        own.take(co_await place.pop());
      } else if (what <= 2) {
        own.take(co_await weft::timeout(place.pop(), limit));
      } else if (what == 3) {
        const auto end = co_await weft::race(place.pop(), other.pop(), weft::sleep_for(limit));
        if (std::get<0>(end.results)) own.take(*std::get<0>(end.results));
        if (std::get<1>(end.results)) own.take(*std::get<1>(end.results));
      } else if (what <= 5) {
        while (!own.tokens.empty()) {
          co_await weft::timeout(place.push_from(own.tokens.back()), limit);
          own.tokens.pop_back();
        }
      } else if (what == 6) {
        const std::size_t count = 1 + random() % permit_count;
        const weft::semaphore_permit held = co_await weft::timeout(all.permits.hold(count), limit);
        EXPECT_LE(all.permits_out.fetch_add(count) + count, permit_count);
        struct at_end {
          std::atomic<std::size_t>& out;
          std::size_t by;
          ~at_end() { out -= by; }
        } back{all.permits_out, count};
        co_await yield();
      } else if (what == 7) {
        const weft::async_lock held = co_await all.mutex.scoped_lock();
        ++all.guarded;
        ++all.locked_times;
        if (random() % 2 == 0) co_await yield();
      } else if (what == 8) {
        if (random() % 2 == 0) {
          all.slot.publish(step);
        } else {
          const auto next = co_await weft::timeout(all.slot.newer(seen), limit);
          seen = next->version;
        }
      } else if (what == 9) {
        auto reader = all.news.subscribe(static_cast<weft::lag_policy>(random() % 3));
        co_await weft::timeout(all.news.publish(step), limit);
        co_await weft::timeout(reader.next(), limit);
      } else if (what == 10) {
        if (random() % 2 == 0) {
          all.signal.set();
          all.signal.reset();
        } else {
          co_await weft::timeout(all.signal.wait(), limit);
        }
      } else if (depth > 0) {
        const weft::task_group_options options{.limit = random() % 3};
        weft::latch met(2);
        co_await with_task_group(options, [&](task_group& group) -> task<> {
          for (int i = 0; i < 3; ++i) {
            group.spawn(wander, std::ref(all), static_cast<unsigned>(random()), depth - 1);
          }
          met.count_down();
          co_await weft::timeout(met.arrive_and_wait(), limit);
          if (random() % 2 == 0) co_await weft::sleep_for(limit);
          group.cancel();
        });
      }
    } catch (const weft::timeout_error&) {
    }
  }
}

task<> live(world& all, unsigned seed) {
  std::mt19937 random(seed);
  // Some wait for tokens that are all in hands: the end of the time cancels them.
  try {
    co_await weft::timeout(with_task_group([&](task_group& group) -> task<> {
                             for (int i = 0; i < 8; ++i) {
                               group.spawn(wander, std::ref(all), static_cast<unsigned>(random()), 2);
                             }
                             co_return;
                           }),
                           std::chrono::milliseconds(5 + random() % 20));
  } catch (const weft::timeout_error&) {
  }
}

void fill(world& all) {
  for (int token = 0; token < token_count; ++token) all.places[0].push_wait(token);
}

void check(world& all) {
  std::vector<int> found = all.dropped;
  for (auto& place : all.places) {
    EXPECT_EQ(place.waiting_pops() + place.waiting_pushes(), 0U);
    while (const auto token = place.try_pop()) found.push_back(*token);
  }
  std::sort(found.begin(), found.end());
  std::vector<int> expected(token_count);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(found, expected) << "a token was lost or doubled";
  EXPECT_EQ(all.permits.available(), permit_count);
  EXPECT_EQ(all.permits.waiting(), 0U);
  EXPECT_FALSE(all.mutex.locked());
  EXPECT_EQ(all.guarded, all.locked_times.load());
  EXPECT_EQ(all.news.subscribers(), 0U);
  EXPECT_EQ(all.signal.waiting() + all.slot.waiting(), 0U);
}

class structured_stress : public testing::TestWithParam<unsigned> {};

TEST_P(structured_stress, nothing_is_lost_on_one_thread) {
  for (unsigned i = 0; i < 4; ++i) {
    world all;
    fill(all);
    weft::run(live(all, GetParam() * 100 + i));
    check(all);
  }
}

TEST_P(structured_stress, nothing_is_lost_on_a_thread_pool) {
  boost::asio::thread_pool threads(3);
  for (unsigned i = 0; i < 4; ++i) {
    world all;
    fill(all);
    boost::asio::co_spawn(threads, live(all, GetParam() * 100 + i), boost::asio::use_future).get();
    check(all);
  }
}

TEST_P(structured_stress, nothing_is_lost_between_two_loops_and_plain_threads) {
  for (unsigned i = 0; i < 4; ++i) {
    world all;
    fill(all);
    std::atomic<bool> over{false};
    std::vector<std::thread> threads;
    for (unsigned loop = 0; loop < 2; ++loop) {
      threads.emplace_back([&, loop] { weft::run(live(all, GetParam() * 1000 + i * 10 + loop)); });
    }
    threads.emplace_back([&] {
      hand own(all);
      while (!over.load()) {
        if (const auto token = all.places[1].try_pop()) {
          int value = *token;
          if (!all.places[0].try_push(value)) own.take(value);
        }
        if (all.permits.try_acquire(2)) all.permits.release(2);
        all.signal.set();
        all.signal.reset();
        std::this_thread::yield();
      }
    });
    threads[0].join();
    threads[1].join();
    over = true;
    threads[2].join();
    check(all);
  }
}

INSTANTIATE_TEST_SUITE_P(seeds, structured_stress, testing::Range(0U, 6U));

}  // namespace structured_stress_test
