// A bare Boost.Beast server on one thread that reads a request and answers a constant: what HTTP itself
// costs.

#include "http_cases.hpp"

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <cstdio>     // for stdout
#include <exception>  // for std::exception

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

asio::awaitable<void> answer(tcp::socket socket) {
  try {
    boost::beast::flat_buffer buffer;
    for (bool open = true; open;) {
      http::request<http::string_body> request;
      co_await http::async_read(socket, buffer, request, asio::use_awaitable);
      http::response<http::string_body> response(http::status::ok, 11);
      response.set(http::field::content_type, "application/json");
      response.keep_alive(request.keep_alive());
      response.body() = http_cases::echo_answer;
      response.prepare_payload();
      open = response.keep_alive();
      co_await http::async_write(socket, response, asio::use_awaitable);
    }
  } catch (const boost::system::system_error&) {  // the client has gone
  }
}

asio::awaitable<void> accept(tcp::acceptor& acceptor) {
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    socket.set_option(tcp::no_delay(true));
    asio::co_spawn(acceptor.get_executor(), answer(std::move(socket)), asio::detached);
  }
}

void serve() {
  asio::io_context loop(1);
  tcp::acceptor acceptor(loop, {asio::ip::make_address("127.0.0.1"), 0});
  asio::co_spawn(loop, accept(acceptor), asio::detached);
  fmt::print("listening {}\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  loop.run();  // until SIGTERM
}

}  // namespace

int main(int count, char** arguments) {
  try {
    if (count < 2 || std::string_view(arguments[1]) != "--serve") {
      return http_cases::measure(count, arguments, http_cases::this_program(),
                                 {"no_op/64", "idle_connection"});
    }
    serve();
  } catch (const std::exception& failure) {
    fmt::print("{}\n", failure.what());
    return 1;
  }
  return 0;
}
