#include <async/coroutines.hpp>
#include <weft/async/gather.hpp>
#include <weft/async/race.hpp>
#include <weft/core/error.hpp>
#include <weft/market/risk_engine.hpp>
#include <weft/market/tick_client.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tick_client_test {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;
using weft::task;
using weft::tick;
using weft::tick_client;
using weft::tick_inbox;
using weft_test::in_coroutine;

template <class T>
void put(std::string& to, T value) {
  std::array<char, sizeof(T)> bytes;
  std::memcpy(bytes.data(), &value, sizeof(T));
  to.append(bytes.data(), bytes.size());
}

std::string frame(std::uint32_t kind, std::uint64_t number, const std::string& body = {}) {
  std::string all;
  put(all, static_cast<std::uint32_t>(body.size()));
  put(all, kind);
  put(all, number);
  return all + body;
}

std::string hello(std::uint64_t session = 1, const std::string& names = {}, std::uint64_t number = 1) {
  std::string body = "wefttcp1";
  put(body, session);
  return frame(1, number, body + names);
}

std::string ticks(std::uint64_t number, const std::vector<tick>& some) {
  std::string body;
  for (const tick& each : some) {
    put(body, each.symbol);
    put(body, std::uint32_t{0});
    put(body, each.sequence);
    put(body, each.time.count());
    put(body, each.price);
  }
  return frame(2, number, body);
}

std::string end(std::uint64_t number) {
  return frame(4, number);
}

tick made(std::uint32_t symbol, double price, std::uint64_t sequence = 0, std::int64_t time = 0) {
  return {.symbol = symbol, .sequence = sequence, .time = std::chrono::nanoseconds(time), .price = price};
}

/// A server that says what a test wants.
class scripted_server {
 public:
  explicit scripted_server(const asio::any_io_executor& executor)
      : acceptor_(executor, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  /// Takes a client, sends the pieces one after the other and leaves.
  task<> say(std::vector<std::string> pieces) {
    tcp::socket client = co_await acceptor_.async_accept(asio::use_awaitable);
    co_await send(client, std::move(pieces));
  }

  /// The same, but waits until the client leaves.
  task<> say_and_stay(std::vector<std::string> pieces) {
    tcp::socket client = co_await acceptor_.async_accept(asio::use_awaitable);
    co_await send(client, std::move(pieces));
    std::array<char, 64> bytes;
    boost::system::error_code left;
    while (!left)
      co_await client.async_read_some(asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, left));
  }

  void stop_listening() { acceptor_.close(); }

 private:
  static task<> send(tcp::socket& client, std::vector<std::string> pieces) {
    boost::system::error_code gone;
    for (const std::string& piece : pieces) {
      co_await asio::async_write(client, asio::buffer(piece),
                                 asio::redirect_error(asio::use_awaitable, gone));
      co_await weft_test::yield();
    }
  }

  tcp::acceptor acceptor_;
};

weft::tick_client_options connecting_to(const scripted_server& server) {
  return {.port = server.port(), .silence = 60s, .first_wait = 1ms, .longest_wait = 2ms};
}

std::vector<double> prices_of(const std::vector<weft::received_tick>& all) {
  std::vector<double> prices;
  for (const auto& each : all) prices.push_back(each.value.price);
  return prices;
}

const weft::tick_inbox_options in_order{.capacity = 1000, .policy = weft::overrun_policy::block};

TEST(tick_client, takes_what_a_server_sends) {
  in_coroutine([]() -> task<> {
    scripted_server server(co_await asio::this_coro::executor);
    tick_client client(connecting_to(server));
    tick_inbox inbox(in_order);
    std::string bytes = hello(1, "IBM\n\nMSFT", 7) + ticks(7, {made(0, 1.5, 3, 40), made(2, 2.5)}) +
                        frame(3, 0) + ticks(9, {made(1, 3.5)}) + end(10);
    std::vector<std::string> single;  // bytes
    for (const char byte : bytes) single.emplace_back(1, byte);
    task<> saying = server.say(single);
    task<> taking = client.run(inbox);
    co_await weft::gather(std::move(saying), std::move(taking));
    const auto taken = co_await inbox.pop_some(10);
    EXPECT_EQ(prices_of(taken), (std::vector{1.5, 2.5, 3.5}));
    EXPECT_EQ(taken[0].value.sequence, 3U);
    EXPECT_EQ(taken[0].value.time, 40ns);
    EXPECT_EQ(taken[1].value.symbol, 2U);
    EXPECT_EQ(client.symbols(), (std::vector<std::string>{"IBM", "", "MSFT"}));
    EXPECT_EQ(client.counts().ticks, 3U);
    EXPECT_EQ(client.counts().heartbeats, 1U);
    EXPECT_EQ(client.counts().missing, 0U);  // it joined in the middle
    EXPECT_EQ(client.counts().failures, 0U);
    EXPECT_EQ(client.last_failure(), "");
  });
}

TEST(tick_client, comes_back_and_counts_what_it_missed) {
  in_coroutine([]() -> task<> {
    scripted_server server(co_await asio::this_coro::executor);
    tick_client client(connecting_to(server));
    tick_inbox inbox(in_order);
    const auto script = [](scripted_server& from) -> task<> {
      const std::vector<std::string> first{hello(5), ticks(1, {made(0, 1), made(0, 2)}),
                                           ticks(6, {made(0, 6)}), frame(2, 7).substr(0, 9)};  // dies
      const std::vector<std::string> second{hello(5), ticks(5, {made(0, 55), made(0, 66), made(0, 7)}),
                                            ticks(10, {made(0, 10)})};  // some of it again
      const std::vector<std::string> third{hello(6, {}, 2), ticks(3, {made(0, 3)}), end(5)};  // another one
      co_await from.say(first);
      co_await from.say(second);
      co_await from.say(third);
    };
    task<> saying = script(server);
    task<> taking = client.run(inbox);
    co_await weft::gather(std::move(saying), std::move(taking));
    const auto taken = co_await inbox.pop_some(10);
    EXPECT_EQ(prices_of(taken), (std::vector<double>{1, 2, 6, 7, 10, 3}));
    const auto counts = client.counts();
    EXPECT_EQ(counts.connections, 3U);
    EXPECT_EQ(counts.failures, 2U);
    EXPECT_EQ(counts.missing, 3U + 2U + 1U + 1U);
    EXPECT_EQ(counts.repeated, 2U);
    EXPECT_EQ(counts.ticks, 6U);
    EXPECT_NE(client.last_failure().find("End of file"), std::string::npos) << client.last_failure();
  });
}

TEST(tick_client, drops_who_says_nothing) {
  in_coroutine([]() -> task<> {
    scripted_server server(co_await asio::this_coro::executor);
    auto options = connecting_to(server);
    options.silence = 5ms;
    tick_client client(options);
    tick_inbox inbox(in_order);
    const auto script = [](scripted_server& from, tick_client& dropped) -> task<> {
      const std::string half = ticks(1, {made(0, 1)}).substr(0, 30);
      const std::vector<std::vector<std::string>> all{{}, {hello()}, {hello(), half}, {hello().substr(0, 3)}};
      for (std::size_t i = 0; i < all.size(); ++i) {
        co_await from.say_and_stay(all[i]);  // returns because the client left
        co_await weft_test::until([&] { return dropped.counts().failures == i + 1; });
        EXPECT_NE(dropped.last_failure().find("said nothing for 5 ms"), std::string::npos);
      }
    };
    task<> saying = script(server, client);
    task<> taking = client.run(inbox);
    co_await weft::race(std::move(saying), std::move(taking));
    EXPECT_EQ(client.counts().ticks, 0U);
    EXPECT_LE(client.counts().connections, 2U);  // that said hello, if that came in time
  });
}

TEST(tick_client, drops_who_sends_garbage) {
  in_coroutine([]() -> task<> {
    scripted_server server(co_await asio::this_coro::executor);
    tick_client client(connecting_to(server));
    tick_inbox inbox(in_order);
    struct garbage {
      std::string bytes;
      const char* reason;
    };
    std::string huge = hello();
    put(huge, std::numeric_limits<std::uint32_t>::max());
    const std::vector<garbage> all{
        {"HTTP/1.1 400 Bad Request\r\n\r\n", "a frame of 1347703880 bytes, at most 1048576 are allowed"},
        {huge + std::string(12, '\2'), "a frame of 4294967295 bytes"},
        {frame(1, 0, "wefttcp2--------"), "does not begin as a tick_server does"},
        {frame(1, 0, "short"), "does not begin as a tick_server does"},
        {ticks(1, {made(0, 1)}), "did not say hello"},
        {hello() + hello(), "said hello twice"},
        {hello() + frame(9, 0), "a frame of kind 9"},
        {hello() + frame(2, 1, std::string(33, 'x')), "33 bytes of ticks from number 1 on"},
        {hello() + ticks(0, {made(0, 1)}), "32 bytes of ticks from number 0 on"},
        {hello() + ticks(std::numeric_limits<std::uint64_t>::max(), {made(0, 1)}), "which cannot be"},
    };
    const auto script = [](scripted_server& from, const std::vector<garbage>& list,
                           tick_client& dropped) -> task<> {
      for (std::size_t i = 0; i < list.size(); ++i) {
        const std::vector<std::string> pieces{list[i].bytes};
        co_await from.say_and_stay(pieces);
        co_await weft_test::until([&] { return dropped.counts().failures == i + 1; });
        EXPECT_NE(dropped.last_failure().find(list[i].reason), std::string::npos) << dropped.last_failure();
      }
      const std::vector<std::string> good{hello(), ticks(1, {made(0, 42)}), end(2)};
      co_await from.say(good);
    };
    task<> saying = script(server, all, client);
    task<> taking = client.run(inbox);
    co_await weft::gather(std::move(saying), std::move(taking));
    const auto taken = co_await inbox.pop_some(10);
    EXPECT_EQ(prices_of(taken), std::vector{42.0});
  });
}

TEST(tick_client, refuses_counts_and_names_what_is_no_price) {
  in_coroutine([]() -> task<> {
    scripted_server server(co_await asio::this_coro::executor);
    tick_client client(connecting_to(server));
    tick_inbox inbox(in_order);
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const std::vector<std::string> pieces{
        hello(1, "IBM\nMSFT"),
        ticks(1, {made(0, nan), made(1, -2), made(1, 0), made(1, 5), made(2, 6),
                  made(0, std::numeric_limits<double>::infinity())}),
        ticks(7, std::vector<tick>(200, made(0, -1))), end(207)};
    task<> saying = server.say(pieces);
    task<> taking = client.run(inbox);
    co_await weft::gather(std::move(saying), std::move(taking));
    const auto taken = co_await inbox.pop_some(10);
    EXPECT_EQ(prices_of(taken), std::vector{5.0});
    EXPECT_EQ(client.counts().ticks, 1U);
    EXPECT_EQ(client.counts().refused, 205U);
    EXPECT_EQ(client.counts().missing, 0U);
    const auto refusals = client.refusals();
    EXPECT_EQ(refusals.size(), 100U);
    EXPECT_EQ(refusals[0].symbol, "IBM");
    EXPECT_EQ(refusals[0].reason, "price is nan");
    EXPECT_EQ(refusals[1].row, 2);
    EXPECT_EQ(refusals[1].symbol, "MSFT");
    EXPECT_EQ(refusals[3].symbol, "2");
    EXPECT_EQ(refusals[3].reason, "symbol is one of 2");
  });
}

// What is wrong with ticks beyond their prices, the engine finds out.
TEST(tick_client, feeds_an_engine_with_a_flood_of_all_kinds) {
  in_coroutine([]() -> task<> {
    scripted_server server(co_await asio::this_coro::executor);
    tick_client client(connecting_to(server));
    tick_inbox inbox({.capacity = 64, .policy = weft::overrun_policy::block});
    weft::risk_engine<double> engine(inbox,
                                     [](weft::market_prices now) -> task<double> { co_return now.of.at(1); });
    constexpr std::uint64_t count = 4'000;
    std::vector<std::string> pieces{hello()};
    for (std::uint64_t i = 1; i <= count; i += 4) {
      const auto time = static_cast<std::int64_t>(i);
      const double price = 1.0 + static_cast<double>(i);
      pieces.push_back(ticks(i, {made(1, price, i + 1, time), made(1, price, i + 1, time),
                                 made(1, 1e9, i + 2, time - 1), made(1, price, i + 3, time)}));
    }
    pieces.push_back(end(count + 1));
    const auto feed = [](tick_client& from, tick_inbox& to) -> task<> {
      co_await from.run(to);
      to.close();
    };
    const auto follow = [](weft::risk_engine<double>& risks) -> task<> {
      double last = 0.0;
      for (;;) {
        const auto update = co_await risks.next();
        if (!update) break;
        last = update->result.value_or(0.0);
      }
      EXPECT_EQ(last, static_cast<double>(count - 2));
    };
    task<> saying = server.say(std::move(pieces));
    task<> feeding = feed(client, inbox);
    task<> following = follow(engine);
    co_await weft::gather(std::move(saying), std::move(feeding), std::move(following));
    EXPECT_EQ(client.counts().ticks, count);
    EXPECT_EQ(engine.checker().counts().accepted, count / 2);
    EXPECT_EQ(engine.checker().counts().repeated, count / 4);
    EXPECT_EQ(engine.checker().counts().late, count / 4);
    EXPECT_EQ(engine.checker().counts().missing, count / 2 - 1);
  });
}

TEST(tick_client, gives_up_when_it_is_told_to) {
  in_coroutine([]() -> task<> {
    scripted_server server(co_await asio::this_coro::executor);
    auto options = connecting_to(server);
    options.most_failures = 3;
    server.stop_listening();
    tick_client client(options);
    tick_inbox inbox(in_order);
    std::string why;
    try {
      co_await client.run(inbox);
    } catch (const weft::error& error) {
      why = error.what();
    }
    EXPECT_EQ(why, "tick_client: 127.0.0.1:" + std::to_string(options.port) + ": Connection refused");
    EXPECT_EQ(client.counts().failures, 3U);
    EXPECT_EQ(client.counts().connections, 0U);
  });
}

TEST(tick_client, ends_with_its_inbox_and_with_who_awaits_it) {
  in_coroutine([]() -> task<> {
    scripted_server server(co_await asio::this_coro::executor);
    tick_client client(connecting_to(server));
    tick_inbox inbox(in_order);
    const std::vector<std::string> pieces{hello(), ticks(1, {made(0, 1)})};
    task<> staying = server.say_and_stay(pieces);
    const auto stop = [](tick_client& stopped, tick_inbox& into) -> task<> {
      task<> taking = stopped.run(into);
      const auto seen = [](tick_client& watched) -> task<> {
        co_await weft_test::until([&] { return watched.counts().ticks == 1; });
      };
      task<> watching = seen(stopped);
      co_await weft::race(std::move(taking), std::move(watching));
    };
    task<> stopping = stop(client, inbox);
    co_await weft::gather(std::move(staying), std::move(stopping));
    EXPECT_EQ(inbox.size(), 1U);
    EXPECT_EQ(client.counts().failures, 0U);

    inbox.close();
    task<> again = server.say_and_stay(pieces);
    const auto closed = [](tick_client& stopped, tick_inbox& into) -> task<> {
      bool refused = false;
      try {
        co_await stopped.run(into);
      } catch (const weft::queue_closed&) {
        refused = true;
      }
      // Its number was not taken before.
      EXPECT_TRUE(refused);
    };
    tick_client other(connecting_to(server));
    task<> refusing = closed(other, inbox);
    co_await weft::gather(std::move(again), std::move(refusing));
  });
}

TEST(tick_client, names_what_cannot_be) {
  EXPECT_THROW(tick_client({.port = 0}), weft::invalid_argument);
  EXPECT_THROW(tick_client({.host = "", .port = 1}), weft::invalid_argument);
  EXPECT_THROW(tick_client({.port = 1, .silence = 0ms}), weft::invalid_argument);
  EXPECT_THROW(tick_client({.port = 1, .first_wait = 0ms}), weft::invalid_argument);
  EXPECT_THROW(tick_client({.port = 1, .first_wait = 2ms, .longest_wait = 1ms}), weft::invalid_argument);
}

}  // namespace tick_client_test
