// A bare Boost.Beast server on one thread that reads a request and answers a constant, for the network after
// the max delay: what HTTP itself costs, and what a timer and this machine make of a delay.

#include "http_cases.hpp"

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <chrono>     // for std::chrono::microseconds
#include <cstdio>     // for stdout
#include <exception>  // for std::exception
#include <string>     // for std::string

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

struct constant {
  std::string answer;
  std::chrono::microseconds delay;
};

constant constant_of(const http_cases::setup& chosen) {
  if (chosen.model != "network") return {std::string(http_cases::echo_answer), {}};
  return {http_cases::network_answer(chosen.weights), std::chrono::microseconds(chosen.max_delay_us)};
}

asio::awaitable<void> answer(tcp::socket socket, const constant& what) {
  try {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    boost::beast::flat_buffer buffer;
    for (bool open = true; open;) {
      http::request<http::string_body> request;
      co_await http::async_read(socket, buffer, request, asio::use_awaitable);
      if (what.delay.count() != 0) {
        timer.expires_after(what.delay);
        co_await timer.async_wait(asio::use_awaitable);
      }
      http::response<http::string_body> response(http::status::ok, 11);
      response.set(http::field::content_type, "application/json");
      response.keep_alive(request.keep_alive());
      response.body() = what.answer;
      response.prepare_payload();
      open = response.keep_alive();
      co_await http::async_write(socket, response, asio::use_awaitable);
    }
  } catch (const boost::system::system_error&) {  // the client has gone
  }
}

asio::awaitable<void> accept(tcp::acceptor& acceptor, const constant& what) {
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    socket.set_option(tcp::no_delay(true));
    asio::co_spawn(acceptor.get_executor(), answer(std::move(socket), what), asio::detached);
  }
}

void serve(const http_cases::setup& chosen) {
  const constant what = constant_of(chosen);
  asio::io_context loop(1);
  tcp::acceptor acceptor(loop, {asio::ip::make_address("127.0.0.1"), 0});
  asio::co_spawn(loop, accept(acceptor, what), asio::detached);
  fmt::print("listening {}\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  loop.run();  // until SIGTERM
}

}  // namespace

int main(int count, char** arguments) {
  try {
    if (count < 2 || std::string_view(arguments[1]) != "--serve") {
      return http_cases::measure(count, arguments, http_cases::this_program(),
                                 {"no_op/64", "idle_connection", "network/at_20k", "network/at_28k"});
    }
    serve(http_cases::setup_of(count, arguments));
  } catch (const std::exception& failure) {
    fmt::print("{}\n", failure.what());
    return 1;
  }
  return 0;
}
