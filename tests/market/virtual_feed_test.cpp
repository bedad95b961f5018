#include <async/coroutines.hpp>
#include <data/test_files.hpp>
#include <weft/async/gather.hpp>
#include <weft/core/error.hpp>
#include <weft/market/simulated_ticks.hpp>
#include <weft/market/tick_client.hpp>
#include <weft/market/tick_history.hpp>
#include <weft/market/tick_server.hpp>
#include <weft/market/virtual_feed.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace virtual_feed_test {

using namespace std::chrono_literals;
using weft::process;
using weft::task;
using weft::tick;
using weft::tick_inbox;
using weft::virtual_clock;
using weft::virtual_feed;
using weft_test::in_coroutine;

struct trade {
  std::int64_t time = 0;
  std::uint32_t symbol = 0;
  double price = 0.0;
  bool buys = false;
  bool operator==(const trade&) const = default;
};

/// Buys what has risen above its mean and sells what has fallen below it, two minutes after it has seen that.
process crossing(virtual_clock& clock, virtual_feed::reader ticks, std::vector<trade>& trades) {
  std::array<double, 2> mean{};
  std::array<bool, 2> has{};
  for (;;) {
    const auto next = co_await ticks.next();
    if (!next) co_return;
    double& slow = mean.at(next->symbol);
    slow = slow == 0.0 ? next->price : 0.95 * slow + 0.05 * next->price;
    const bool wants = next->price > slow;
    if (wants == has.at(next->symbol)) continue;
    co_await clock.after(2min);
    has.at(next->symbol) = wants;
    trades.push_back({clock.now().count(), next->symbol, next->price, wants});
  }
}

/// Notes every 7 min how many trades there were.
process watch(virtual_clock& clock, const std::vector<trade>& trades, std::vector<std::size_t>& counts) {
  for (;;) {
    co_await clock.after(7min);
    counts.push_back(trades.size());
  }
}

struct outcome {
  std::vector<trade> trades;
  std::vector<std::size_t> counts;
  bool operator==(const outcome&) const = default;
};

template <class Drive>
outcome outcome_of(Drive drive) {
  outcome result;
  virtual_clock clock;
  virtual_feed feed(clock);
  clock.spawn(crossing(clock, virtual_feed::reader(feed), result.trades));
  clock.spawn(watch(clock, result.trades, result.counts));
  drive(feed);
  clock.run_until(clock.now() + 1h);  // the last orders
  EXPECT_EQ(clock.processes(), 1U);   // the watch goes on
  return result;
}

std::vector<tick> simulated(std::uint64_t seed) {
  const weft::geometric_brownian model{
      .assets = {{.spot = 100, .volatility = 0.5}, {.spot = 20, .volatility = 0.3}},
      .correlation = {1.0, 0.5, 0.5, 1.0}};
  return simulated_ticks(model, {.interval = 1min, .count = 2000, .seed = seed});
}

outcome outcome_of(const std::vector<tick>& ticks) {
  return outcome_of([&](virtual_feed& feed) {
    for (const tick& each : ticks) feed.deliver(each);
    feed.end();
  });
}

outcome live(const std::vector<tick>& ticks) {
  weft::tick_server server;
  weft::tick_client client({.port = server.port(), .silence = 60s});
  tick_inbox inbox({.capacity = 16, .policy = weft::overrun_policy::block});
  return outcome_of([&](virtual_feed& feed) {
    in_coroutine([&]() -> task<> {
      const auto publish = [&]() -> task<> {
        co_await server.wait_for_clients();
        co_await server.publish(ticks);
        server.close();
      };
      const auto receive = [&]() -> task<> {
        co_await client.run(inbox);
        inbox.close();
      };
      task<> serving = server.run();
      task<> publishing = publish();
      task<> receiving = receive();
      task<> following = weft::follow(inbox, feed);
      co_await weft::gather(std::move(serving), std::move(publishing), std::move(receiving),
                            std::move(following));
    });
  });
}

TEST(virtual_feed, has_the_same_consequences_simulated_replayed_and_live) {
  const std::vector<tick> ticks = simulated(1);
  const outcome expected = outcome_of(ticks);
  EXPECT_GT(expected.trades.size(), 100U);
  EXPECT_GT(expected.counts.size(), 200U);
  EXPECT_EQ(outcome_of(simulated(1)), expected);
  EXPECT_NE(outcome_of(simulated(2)), expected);

  const weft::test::scratch_folder folder;
  const std::string path = folder.path("ticks");
  weft::write_tick_file(path, ticks);
  weft::tick_file file(path);
  const outcome replayed = outcome_of([&](virtual_feed& feed) {
    std::vector<tick> some(300);
    while (const std::size_t count = file.read(some)) {
      for (std::size_t i = 0; i < count; ++i) feed.deliver(some[i]);
    }
    feed.end();
  });
  EXPECT_EQ(replayed, expected);
  EXPECT_EQ(live(ticks), expected);
}

tick made(std::int64_t seconds, double price, std::uint64_t sequence = 0) {
  return {.symbol = 1, .sequence = sequence, .time = std::chrono::seconds(seconds), .price = price};
}

process note(virtual_clock& clock, virtual_feed::reader ticks, std::chrono::nanoseconds pause,
             std::vector<std::string>& log) {
  for (;;) {
    const auto next = co_await ticks.next();
    const auto now = std::to_string(clock.now() / 1s);
    if (!next) {
      log.push_back(now + " end, missed " + std::to_string(ticks.dropped()));
      co_return;
    }
    log.push_back(now + " " + std::to_string(static_cast<int>(next->price)));
    if (pause.count() > 0) co_await clock.after(pause);
  }
}

TEST(virtual_feed, gives_each_tick_at_its_time) {
  virtual_clock clock(100s);
  virtual_feed feed(clock, 2);
  std::vector<std::string> quick;
  std::vector<std::string> slow;
  clock.spawn(note(clock, virtual_feed::reader(feed), 0s, quick));
  clock.spawn(note(clock, virtual_feed::reader(feed), 10s, slow));
  feed.deliver(made(101, 1, 1));
  EXPECT_EQ(quick, std::vector<std::string>{"101 1"});
  feed.deliver(made(103, 2, 2));
  feed.deliver(made(103, -1, 3));  // refused
  feed.deliver(made(104, 99, 2));  // refused
  feed.deliver(made(104, 3, 3));
  feed.deliver(made(106, 4, 4));
  feed.deliver(made(115, 5, 5));
  feed.end();
  EXPECT_EQ(quick,
            (std::vector<std::string>{"101 1", "103 2", "104 3", "106 4", "115 5", "115 end, missed 0"}));
  clock.run();
  EXPECT_EQ(slow, (std::vector<std::string>{"101 1", "111 3", "121 4", "131 5", "141 end, missed 1"}));
  EXPECT_EQ(feed.checker().counts().bad_prices, 1U);
  EXPECT_EQ(feed.checker().counts().repeated, 1U);
  EXPECT_THROW(virtual_feed(clock, 0), weft::invalid_argument);
}

process fail_at(virtual_clock& clock, std::chrono::nanoseconds time) {
  co_await clock.until(time);
  throw weft::error("it failed");
}

TEST(follow, lets_time_pass_while_no_tick_comes) {
  virtual_clock clock;
  virtual_feed feed(clock);
  tick_inbox inbox;
  std::vector<std::string> log;
  const auto timer = [](virtual_clock& at, tick_inbox& then, std::vector<std::string>& notes) -> process {
    co_await at.until(1000ms + 2ms);
    notes.emplace_back("timer");
    then.close();
  };
  clock.spawn(note(clock, virtual_feed::reader(feed), 0s, log));
  clock.spawn(timer(clock, inbox, log));
  in_coroutine([&]() -> task<> {
    co_await inbox.push(made(1, 7));
    co_await weft::follow(inbox, feed);  // ends because the timer closes the inbox
  });
  EXPECT_EQ(log, (std::vector<std::string>{"1 7", "timer", "1 end, missed 0"}));
}

TEST(follow, throws_what_leaves_a_process) {
  virtual_clock clock;
  virtual_feed feed(clock);
  tick_inbox inbox;
  clock.spawn(fail_at(clock, 1s));
  std::string why;
  in_coroutine([&]() -> task<> {
    co_await inbox.push(made(2, 7));
    try {
      co_await weft::follow(inbox, feed, 0.0);
    } catch (const weft::error& error) {
      why = error.what();
    }
  });
  EXPECT_EQ(why, "it failed");
  EXPECT_THROW(weft::run(weft::follow(inbox, feed, -1.0)), weft::invalid_argument);
}

TEST(simulated_ticks, move_as_the_model_says) {
  const weft::geometric_brownian model{
      .rate = 0.05,
      .assets = {{.spot = 100, .volatility = 0.2}, {.spot = 50, .volatility = 0.4}},
      .correlation = {1.0, -0.7, -0.7, 1.0}};
  constexpr std::int64_t count = 20'000;
  const auto ticks = simulated_ticks(model, {.start = 5s, .interval = 24h, .count = count, .seed = 3});
  ASSERT_EQ(ticks.size(), 2U * count);
  EXPECT_EQ(ticks[0].price, 100.0);
  EXPECT_EQ(ticks[1].price, 50.0);
  EXPECT_EQ(ticks[3].symbol, 1U);
  EXPECT_EQ(ticks[3].sequence, 2U);
  EXPECT_EQ(ticks[3].time, 24h + 5s);
  std::array<double, 3> sums{};
  for (std::size_t i = 2; i < ticks.size(); i += 2) {
    const double first = std::log(ticks[i].price / ticks[i - 2].price);
    const double second = std::log(ticks[i + 1].price / ticks[i - 1].price);
    sums[0] += first * first;
    sums[1] += second * second;
    sums[2] += first * second;
  }
  const double year = 365.25 / (count - 1);
  EXPECT_NEAR(std::sqrt(sums[0] * year), 0.2, 0.005);
  EXPECT_NEAR(std::sqrt(sums[1] * year), 0.4, 0.01);
  EXPECT_NEAR(sums[2] / std::sqrt(sums[0] * sums[1]), -0.7, 0.02);
  EXPECT_THROW(simulated_ticks(model, {.interval = 0s}), weft::invalid_argument);
  EXPECT_THROW(simulated_ticks(model, {.count = 0}), weft::invalid_argument);
  EXPECT_THROW(weft::simulated_ticks({}, {}), weft::invalid_argument);
}

}  // namespace virtual_feed_test
