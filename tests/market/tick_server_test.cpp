#include <async/coroutines.hpp>
#include <weft/async/gather.hpp>
#include <weft/async/task_group.hpp>
#include <weft/async/timeout.hpp>
#include <weft/core/error.hpp>
#include <weft/market/tick_client.hpp>
#include <weft/market/tick_server.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace tick_server_test {

using namespace std::chrono_literals;
using weft::task;
using weft::tick;
using weft::tick_client;
using weft::tick_inbox;
using weft::tick_server;
using weft_test::in_coroutine;

std::vector<tick> numbered(std::uint64_t count) {
  std::vector<tick> all;
  for (std::uint64_t i = 1; i <= count; ++i) {
    all.push_back({.symbol = static_cast<std::uint32_t>(i % 3),
                   .sequence = i,
                   .time = std::chrono::nanoseconds(i),
                   .price = static_cast<double>(i)});
  }
  return all;
}

/// A client and what came.
struct reader {
  explicit reader(const tick_server& server, std::size_t capacity = 64)
      : client({.port = server.port(), .silence = 60s, .first_wait = 1ms}),
        inbox({.capacity = capacity, .policy = weft::overrun_policy::block}) {}

  task<> run() {
    co_await client.run(inbox);
    inbox.close();
  }
  task<> take() {
    for (;;) {
      const auto some = co_await inbox.pop_some(1000);
      if (some.empty()) co_return;
      for (const auto& each : some) prices.push_back(each.value.price);
    }
  }

  tick_client client;
  tick_inbox inbox;
  std::vector<double> prices;
};

TEST(tick_server, gives_all_ticks_to_all_clients) {
  tick_server server({.symbols = {"A", "B", "C"}, .capacity = 2});
  std::vector<std::unique_ptr<reader>> readers;
  for (int i = 0; i < 3; ++i) readers.push_back(std::make_unique<reader>(server));
  reader late(server);
  const auto all = numbered(30'000);
  in_coroutine([&]() -> task<> {
    co_await weft::with_task_group([&](weft::task_group& group) -> task<> {
      group.spawn(server.run());
      for (auto& each : readers) {
        group.spawn(each->run());
        group.spawn(each->take());
      }
      co_await server.wait_for_clients(3);
      const std::span<const tick> first(all.data(), 10'000);
      co_await server.publish(first);
      group.spawn(late.run());
      group.spawn(late.take());
      co_await server.wait_for_clients(4);
      const std::span<const tick> second(all.data() + 10'000, 20'000);
      co_await server.publish(second);
      server.close();
    });
  });
  std::vector<double> expected;
  for (const tick& each : all) expected.push_back(each.price);
  for (const auto& each : readers) {
    EXPECT_EQ(each->prices, expected);
    EXPECT_EQ(each->client.counts().missing, 0U);
    EXPECT_EQ(each->client.counts().failures, 0U);
    EXPECT_EQ(each->client.symbols().size(), 3U);
  }
  EXPECT_EQ(late.prices, std::vector<double>(expected.begin() + 10'000, expected.end()));
  EXPECT_EQ(server.clients(), 0U);
}

TEST(tick_server, says_when_clients_have_come) {
  tick_server server;
  reader first(server);
  reader second(server);
  in_coroutine([&]() -> task<> {
    co_await weft::with_task_group([&](weft::task_group& group) -> task<> {
      co_await server.wait_for_clients(0);
      group.spawn(server.run());
      auto never = server.wait_for_clients(1000);
      bool late = false;
      try {
        co_await weft::timeout(std::move(never), 1ms);
      } catch (const weft::timeout_error&) {
        late = true;
      }
      EXPECT_TRUE(late);
      bool both = false;
      std::size_t when_both = 0;
      group.spawn([](tick_server& from, bool& done, std::size_t& seen) -> task<> {
        co_await from.wait_for_clients(2);
        seen = from.clients();
        done = true;
      }(server, both, when_both));
      group.spawn(first.run());
      group.spawn(first.take());
      co_await server.wait_for_clients();
      EXPECT_FALSE(both);
      group.spawn(second.run());
      group.spawn(second.take());
      co_await weft_test::until([&] { return both; });
      EXPECT_EQ(when_both, 2U);
      bool refused = false;
      group.spawn([](tick_server& from, bool& closed) -> task<> {
        try {
          co_await from.wait_for_clients(3);
        } catch (const weft::queue_closed&) {
          closed = true;
        }
      }(server, refused));
      server.close();
      co_await weft_test::until([&] { return refused; });
    });
  });
}

TEST(tick_server, lets_those_who_are_slow_miss_some) {
  tick_server server({.capacity = 1, .lag = weft::lag_policy::drop_oldest});
  reader slow(server, 1);
  const auto all = numbered(50'000);
  in_coroutine([&]() -> task<> {
    co_await weft::with_task_group([&](weft::task_group& group) -> task<> {
      group.spawn(server.run());
      group.spawn(slow.run());
      co_await server.wait_for_clients();
      co_await server.publish(all);  // waits for nobody
      group.spawn(slow.take());
      server.close();
    });
  });
  const auto counts = slow.client.counts();
  EXPECT_GT(counts.missing, 0U);
  EXPECT_EQ(counts.ticks, slow.prices.size());
  EXPECT_EQ(counts.ticks + counts.missing, all.size());
}

TEST(tick_server, drops_who_takes_nothing) {
  tick_server server({.patience = 20ms, .capacity = 1});
  const auto all = numbered(500'000);
  in_coroutine([&]() -> task<> {
    namespace asio = boost::asio;
    asio::ip::tcp::socket idle(co_await asio::this_coro::executor);
    idle.connect({asio::ip::address_v4::loopback(), server.port()});
    co_await weft::with_task_group([&](weft::task_group& group) -> task<> {
      group.spawn(server.run());
      co_await server.wait_for_clients();
      co_await server.publish(all);  // waits for a client that does not read, until that is dropped
      co_await weft_test::until([&] { return server.clients() == 0; });
      server.close();
    });
  });
}

TEST(tick_server, tells_that_it_lives_and_comes_back) {
  auto server = std::make_unique<tick_server>(weft::tick_server_options{.heartbeat = 1ms});
  const std::uint16_t port = server->port();
  reader one(*server);
  const auto all = numbered(10);
  const auto life = [&](std::uint64_t connections) -> task<> {
    co_await weft::with_task_group([&](weft::task_group& group) -> task<> {
      group.spawn(server->run());
      const auto before = one.client.counts();
      co_await weft_test::until([&] {
        const auto now = one.client.counts();
        return now.connections == connections && now.heartbeats >= before.heartbeats + 3;
      });
      co_await server->publish(all);
      co_await weft_test::until([&] { return one.client.counts().ticks == before.ticks + 10; });
      if (connections == 2)
        server->close();
      else
        group.cancel();  // dies without an end
    });
  };
  in_coroutine([&]() -> task<> {
    const auto lives = [&]() -> task<> {
      co_await life(1);
      server.reset();
      co_await weft_test::until([&] { return one.client.counts().failures > 1; });
      server = std::make_unique<tick_server>(weft::tick_server_options{.port = port, .heartbeat = 1ms});
      co_await life(2);
    };
    task<> living = lives();
    task<> running = one.run();
    task<> taking = one.take();
    co_await weft::gather(std::move(living), std::move(running), std::move(taking));
  });
  EXPECT_EQ(one.prices.size(), 20U);
  EXPECT_EQ(one.client.counts().connections, 2U);
  EXPECT_EQ(one.client.counts().missing, 0U);  // another server numbers anew
}

TEST(tick_server, is_fed_by_another_thread) {
  tick_server server({.capacity = 4});
  reader one(server, 4096);
  const auto all = numbered(200'000);
  std::thread feed([&] {
    weft_test::wait_until([&] { return server.clients() == 1; });
    weft::run(server.publish(all));
    server.close();
  });
  in_coroutine([&]() -> task<> {
    task<> serving = server.run();
    task<> running = one.run();
    task<> taking = one.take();
    co_await weft::gather(std::move(serving), std::move(running), std::move(taking));
  });
  feed.join();
  EXPECT_EQ(one.prices.size(), all.size());
  EXPECT_EQ(one.client.counts().missing, 0U);
}

TEST(tick_server, names_what_cannot_be) {
  EXPECT_THROW(tick_server({.address = "localhost"}), weft::invalid_argument);
  EXPECT_THROW(tick_server({.symbols = {"A\nB"}}), weft::invalid_argument);
  EXPECT_THROW(tick_server({.symbols = {std::string(500'001, 'x')}}), weft::invalid_argument);
  EXPECT_THROW(tick_server({.heartbeat = 0ms}), weft::invalid_argument);
  EXPECT_THROW(tick_server({.patience = 0ms}), weft::invalid_argument);
  EXPECT_THROW(tick_server({.capacity = 0}), weft::invalid_argument);
  tick_server server;
  try {
    tick_server second({.port = server.port()});
    ADD_FAILURE() << "two servers listen on one port";
  } catch (const weft::error& error) {
    EXPECT_EQ(std::string(error.what()), "tick_server: cannot listen on 127.0.0.1, port " +
                                             std::to_string(server.port()) + ": Address already in use");
  }
  server.close();
  in_coroutine([&]() -> task<> {
    co_await server.run();
    bool refused = false;
    try {
      co_await server.run();
    } catch (const weft::error&) {
      refused = true;
    }
    EXPECT_TRUE(refused);
  });
  EXPECT_THROW(weft::run(server.publish(numbered(1))), weft::queue_closed);
}

}  // namespace tick_server_test
