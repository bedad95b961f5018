#include <async/coroutines.hpp>
#include <weft/async/event.hpp>
#include <weft/async/gather.hpp>
#include <weft/async/run.hpp>
#include <weft/core/error.hpp>
#include <weft/market/risk_engine.hpp>
#include <weft/pool/process_pool.hpp>
#include <weft/pool/thread_pool.hpp>

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <exception>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace risk_engine_test {

using namespace std::chrono_literals;
using weft::market_prices;
using weft::overrun_policy;
using weft::price_source;
using weft::task;
using weft::tick;
using weft::tick_inbox;
using weft_test::in_coroutine;

tick made(std::uint32_t symbol, double price, std::uint64_t sequence = 0, std::int64_t time = 0) {
  return {.symbol = symbol, .sequence = sequence, .time = std::chrono::nanoseconds(time), .price = price};
}

TEST(tick_checker, refuses_and_counts_what_cannot_be_used) {
  weft::tick_checker checker;
  EXPECT_TRUE(checker.accept(made(1, 10.0, 5, 100)));
  EXPECT_FALSE(checker.accept(made(1, 0.0, 6, 100)));
  EXPECT_FALSE(checker.accept(made(1, -1.0, 6, 100)));
  EXPECT_FALSE(checker.accept(made(1, std::nan(""), 6, 100)));
  EXPECT_FALSE(checker.accept(made(1, std::numeric_limits<double>::infinity(), 6, 100)));
  EXPECT_TRUE(checker.accept(made(1, 10.5, 6, 100)));
  EXPECT_FALSE(checker.accept(made(1, 10.5, 6, 101)));
  EXPECT_FALSE(checker.accept(made(1, 10.5, 2, 101)));
  EXPECT_FALSE(checker.accept(made(1, 10.5, 7, 99)));
  EXPECT_TRUE(checker.accept(made(1, 11.0, 10, 120)));  // 7 to 9 are not there
  EXPECT_TRUE(checker.accept(made(2, 3.0)));
  EXPECT_TRUE(checker.accept(made(2, 3.0)));  // no numbers
  const auto one = checker.counts(1);
  EXPECT_EQ(one.accepted, 3U);
  EXPECT_EQ(one.bad_prices, 4U);
  EXPECT_EQ(one.repeated, 2U);
  EXPECT_EQ(one.late, 1U);
  EXPECT_EQ(one.missing, 3U);
  EXPECT_EQ(checker.counts().accepted, 5U);
  EXPECT_EQ(checker.counts(2).accepted, 2U);
  EXPECT_EQ(checker.counts(3).accepted, 0U);
}

std::vector<double> prices_of(const std::vector<weft::received_tick>& ticks) {
  std::vector<double> prices;
  for (const auto& each : ticks) prices.push_back(each.value.price);
  return prices;
}

TEST(tick_inbox, makes_who_pushes_wait) {
  in_coroutine([]() -> task<> {
    tick_inbox inbox({.capacity = 2, .policy = overrun_policy::block});
    bool pushed = false;
    const auto push = [](tick_inbox& to, bool& done) -> task<> {
      for (int i = 1; i <= 3; ++i) co_await to.push(made(1, i));
      done = true;
    };
    const auto take = [](tick_inbox& from, bool& done) -> task<> {
      co_await weft_test::until([&] { return from.size() == 2; });
      EXPECT_FALSE(done);
      const auto first = co_await from.pop_some(10);
      EXPECT_EQ(prices_of(first), (std::vector{1.0, 2.0}));
      co_await weft_test::until([&] { return done; });
      from.close();
      const auto rest = co_await from.pop_some(10);
      EXPECT_EQ(prices_of(rest), std::vector{3.0});
      const auto none = co_await from.pop_some(10);
      EXPECT_TRUE(none.empty());
    };
    co_await weft::gather(push(inbox, pushed), take(inbox, pushed));
    EXPECT_EQ(inbox.dropped(), 0U);
  });
}

TEST(tick_inbox, drops_the_oldest) {
  in_coroutine([]() -> task<> {
    tick_inbox inbox({.capacity = 3, .policy = overrun_policy::drop_oldest});
    for (int i = 1; i <= 10; ++i) co_await inbox.push(made(1, i));
    const auto ticks = co_await inbox.pop_some(10);
    EXPECT_EQ(prices_of(ticks), (std::vector{8.0, 9.0, 10.0}));
    EXPECT_EQ(inbox.dropped(), 7U);
    inbox.close();
    bool refused = false;
    try {
      co_await inbox.push(made(1, 1.0));
    } catch (const weft::queue_closed&) {
      refused = true;
    }
    EXPECT_TRUE(refused);
  });
}

TEST(tick_inbox, keeps_the_latest_of_each_symbol) {
  in_coroutine([]() -> task<> {
    tick_inbox inbox({.capacity = 3});
    for (int i = 1; i <= 4; ++i) {
      co_await inbox.push(made(7, i));
      co_await inbox.push(made(8, 10 * i));
    }
    EXPECT_EQ(inbox.replaced(), 6U);
    EXPECT_EQ(inbox.size(), 2U);
    const auto ticks = co_await inbox.pop_some(10);
    EXPECT_EQ(prices_of(ticks), (std::vector{4.0, 40.0}));
    for (std::uint32_t symbol = 0; symbol < 5; ++symbol) co_await inbox.push(made(symbol, 1.0 + symbol));
    EXPECT_EQ(inbox.dropped(), 2U);
    const auto two = co_await inbox.pop_some(2);
    EXPECT_EQ(prices_of(two), (std::vector{3.0, 4.0}));
    inbox.close();
    const auto rest = co_await inbox.pop_some(2);
    EXPECT_EQ(prices_of(rest), std::vector{5.0});
    const auto none = co_await inbox.pop_some(2);
    EXPECT_TRUE(none.empty());
  });
  EXPECT_THROW(tick_inbox({.capacity = 0}), weft::invalid_argument);
}

TEST(tick_inbox, loses_nothing_between_threads) {
  constexpr int count = 20000;
  for (const auto policy :
       {overrun_policy::block, overrun_policy::drop_oldest, overrun_policy::latest_of_a_symbol}) {
    tick_inbox inbox({.capacity = 64, .policy = policy});
    std::thread feed([&] {
      weft::run([](tick_inbox& to) -> task<> {
        for (int i = 0; i < count; ++i) co_await to.push(made(static_cast<std::uint32_t>(i % 100), 1.0 + i));
        to.close();
      }(inbox));
    });
    std::uint64_t taken = 0;
    double last = 0.0;
    weft::run([](tick_inbox& from, std::uint64_t& all, double& newest) -> task<> {
      for (;;) {
        const auto ticks = co_await from.pop_some(16);
        if (ticks.empty()) co_return;
        all += ticks.size();
        for (const auto& each : ticks) newest = std::max(newest, each.value.price);
      }
    }(inbox, taken, last));
    feed.join();
    EXPECT_EQ(taken + inbox.dropped() + inbox.replaced(), static_cast<std::uint64_t>(count));
    EXPECT_EQ(last, static_cast<double>(count));
  }
}

// The sum of the prices, or what the test wants to happen.
struct scripted {
  bool throws = false;
  bool hangs = false;
  int runs = 0;
};

task<double> simulate(scripted& script, weft::event& never, market_prices now) {
  ++script.runs;
  if (script.throws) throw weft::error("it failed");
  if (script.hangs) co_await never.wait();
  double sum = 0.0;
  for (const auto& [symbol, price] : now.of) sum += price;
  co_return sum;
}

using engine = weft::risk_engine<double>;

template <class Error>
bool failed_with(const weft::risk_update<double>& update) {
  if (update.result || !update.error) return false;
  try {
    std::rethrow_exception(update.error);
  } catch (const Error&) {
    return true;
  } catch (...) {
    return false;
  }
}

TEST(risk_engine, survives_what_feeds_do) {
  in_coroutine([]() -> task<> {
    tick_inbox inbox({.capacity = 100});
    scripted script;
    weft::event never;
    engine risks(inbox, [&](market_prices now) { return simulate(script, never, std::move(now)); },
                 {.patience = 2ms});
    auto update = co_await risks.next();  // stalls before anything came
    EXPECT_TRUE(update && update->source == price_source::neutral);
    EXPECT_EQ(update->result, 0.0);
    EXPECT_EQ(update->age.count(), 0);

    co_await inbox.push(made(1, 10.0, 1, 50));
    co_await inbox.push(made(2, 20.0, 1, 50));
    update = co_await risks.next();
    EXPECT_TRUE(update && update->source == price_source::fresh);
    EXPECT_EQ(update->result, 30.0);
    EXPECT_EQ(update->ticks, 2U);
    EXPECT_GT(update->age.count(), 0);

    const auto before = update->age;
    update = co_await risks.next();  // stalls
    EXPECT_TRUE(update && update->source == price_source::last);
    EXPECT_EQ(update->result, 30.0);
    EXPECT_GT(update->age, before);

    co_await inbox.push(made(1, std::nan(""), 2, 60));  // garbage, repetitions and the past are not fresh
    co_await inbox.push(made(2, 99.0, 1, 60));
    co_await inbox.push(made(3, -1.0, 1, 60));
    update = co_await risks.next();
    EXPECT_TRUE(update && update->source == price_source::last);
    EXPECT_EQ(update->result, 30.0);
    co_await inbox.push(made(2, 99.0, 2, 10));
    co_await inbox.push(made(1, 11.0, 4, 61));
    update = co_await risks.next();
    EXPECT_EQ(update->result, 31.0);
    EXPECT_EQ(risks.checker().counts().bad_prices, 2U);
    EXPECT_EQ(risks.checker().counts().repeated, 1U);
    EXPECT_EQ(risks.checker().counts().late, 1U);
    EXPECT_EQ(risks.checker().counts(1).missing, 2U);

    for (int i = 0; i < 100000; ++i) co_await inbox.push(made(1, 1.0 + i, 0, 100));  // floods
    update = co_await risks.next();
    EXPECT_EQ(update->result, 100020.0);
    EXPECT_EQ(update->ticks, 1U);

    inbox.close();  // dies
    update = co_await risks.next();
    EXPECT_FALSE(update);
  });
}

TEST(risk_engine, survives_what_simulations_do) {
  in_coroutine([]() -> task<> {
    tick_inbox inbox;
    scripted script;
    weft::event never;
    engine risks(inbox, [&](market_prices now) { return simulate(script, never, std::move(now)); },
                 {.simulation_limit = 5ms});
    co_await inbox.push(made(1, 10.0));
    script.throws = true;
    auto update = co_await risks.next();
    EXPECT_TRUE(update && failed_with<weft::error>(*update));
    script.throws = false;
    script.hangs = true;
    co_await inbox.push(made(2, 5.0));
    update = co_await risks.next();
    EXPECT_TRUE(update && failed_with<weft::timeout_error>(*update));
    script.hangs = false;
    co_await inbox.push(made(2, 6.0));
    update = co_await risks.next();
    EXPECT_TRUE(update && update->result == 16.0);
    EXPECT_EQ(script.runs, 3);
  });
}

TEST(risk_engine, simulates_on_a_pool_while_ticks_come) {
  weft::thread_pool pool(2);
  tick_inbox inbox({.capacity = 16});
  constexpr int count = 5000;
  double last = 0.0;
  weft::run([](weft::thread_pool& workers, tick_inbox& ticks, double& newest) -> task<> {
    const auto feed = [](tick_inbox& to) -> task<> {
      for (int i = 1; i <= count; ++i) {
        co_await to.push(made(static_cast<std::uint32_t>(i % 3), i));
        if (i % 100 == 0) co_await weft_test::yield();
      }
      to.close();
    };
    const auto use = [](weft::thread_pool& on, tick_inbox& from, double& newest_price) -> task<> {
      engine risks(from, [&](market_prices now) {
        return on.run(
            [](const market_prices& prices) {
              double most = 0.0;
              for (const auto& [symbol, price] : prices.of) most = std::max(most, price);
              return most;
            },
            std::move(now));
      });
      for (;;) {
        const auto update = co_await risks.next();
        if (!update) co_return;
        EXPECT_TRUE(update->result.has_value());
        EXPECT_GE(update->result.value_or(0.0), newest_price);
        newest_price = update->result.value_or(0.0);
      }
    };
    co_await weft::gather(feed(ticks), use(workers, ticks, newest));
  }(pool, inbox, last));
  EXPECT_EQ(last, static_cast<double>(count));
}

// Who it was; never, if the price is 13.
int worker_or_never(double price) {
  while (price == 13.0) ::pause();
  return ::getpid();
}

TEST(risk_engine, survives_a_worker_process_that_hangs) {
  weft::process_pool pool({.workers = 1});
  in_coroutine([&]() -> task<> {
    tick_inbox inbox;
    const auto simulation = [&](market_prices now) { return pool.run<&worker_or_never>(now.of.at(1)); };
    weft::risk_engine<int> patient(inbox, simulation);
    weft::risk_engine<int> strict(inbox, simulation, {.simulation_limit = 50ms});
    co_await inbox.push(made(1, 10.0));
    const auto before = co_await patient.next();
    co_await inbox.push(made(1, 13.0));
    const auto hung = co_await strict.next();
    EXPECT_TRUE(hung && !hung->result && hung->error);
    std::string why;
    try {
      std::rethrow_exception(hung->error);
    } catch (const weft::timeout_error& error) {
      why = error.what();
    }
    EXPECT_NE(why.find("time limit"), std::string::npos);
    co_await inbox.push(made(1, 11.0));
    const auto after = co_await patient.next();
    EXPECT_TRUE(before->result && after->result);
    EXPECT_NE(before->result, after->result);  // that worker was killed, this is another one
  });
}

TEST(risk_engine, is_cancelled_with_who_awaits_it) {
  tick_inbox inbox;
  scripted script{.hangs = true};
  weft::event never;
  engine risks(inbox, [&](market_prices now) { return simulate(script, never, std::move(now)); });
  weft_test::hand_turned waiting([](engine& all) -> task<> { co_await all.next(); }(risks));
  waiting.turn();
  waiting.cancel();
  waiting.turn();
  EXPECT_TRUE(waiting.threw<weft::cancelled>());
  weft::run(inbox.push(made(1, 2.0)));
  weft_test::hand_turned simulating([](engine& all) -> task<> { co_await all.next(); }(risks));
  simulating.turn();
  EXPECT_EQ(script.runs, 1);
  simulating.cancel();
  simulating.turn();
  EXPECT_TRUE(simulating.threw<weft::cancelled>());
}

TEST(risk_engine, names_what_cannot_be) {
  tick_inbox inbox;
  const auto nothing = [](market_prices) -> task<double> { co_return 0.0; };
  EXPECT_THROW(engine(inbox, nothing, {.patience = 0ms}), weft::invalid_argument);
  EXPECT_THROW(engine(inbox, nothing, {.simulation_limit = -1ms}), weft::invalid_argument);
  EXPECT_THROW(engine(inbox, nothing, {.most_ticks = 0}), weft::invalid_argument);
}

}  // namespace risk_engine_test
