#include "driver.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>    // for std::sort, std::min, std::equal
#include <cctype>       // for std::tolower
#include <cmath>        // for std::ceil
#include <cstdlib>      // for std::atoi
#include <stdexcept>    // for std::runtime_error
#include <string_view>  // for std::string_view
#include <weft/async/task.hpp>

namespace load {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using clock = std::chrono::steady_clock;

constexpr auto patience = std::chrono::seconds(10);  // for the last answers

clock::duration in_clock(double seconds) {
  return std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(seconds));
}

// One run, on one thread.
class run {
 public:
  explicit run(const plan& what) : plan_(what) {
    const tcp::endpoint server(asio::ip::make_address(what.host), what.port);
    std::vector<tcp::socket> sockets;
    for (int i = 0; i < what.connections; ++i) {
      sockets.emplace_back(loop_).connect(server);
      sockets.back().set_option(tcp::no_delay(true));
    }
    // Only now: what connecting takes is nobody's delay.
    start_ = clock::now();
    measured_ = start_ + in_clock(what.warm_up);
    end_ = start_ + in_clock(what.seconds);
    for (tcp::socket& socket : sockets) asio::co_spawn(loop_, ask(std::move(socket)), asio::detached);
  }

  outcome finish() {
    loop_.run_until(end_ + patience);
    outcome_.seconds = plan_.seconds - plan_.warm_up;
    std::sort(outcome_.latencies.begin(), outcome_.latencies.end());
    std::sort(outcome_.refusal_latencies.begin(), outcome_.refusal_latencies.end());
    std::sort(outcome_.own_delays.begin(), outcome_.own_delays.end());
    return std::move(outcome_);
  }

 private:
  // When the next request is due; with a rate, requests have their times and connections take them in turn.
  clock::time_point next_due() {
    if (plan_.rate <= 0) return clock::now();
    return start_ + in_clock(static_cast<double>(number_++) / plan_.rate);
  }

  weft::task<> ask(tcp::socket socket) {
    asio::steady_timer timer(loop_);
    std::string answer;
    for (clock::time_point due = next_due(); due < end_; due = next_due()) {
      const bool ahead = due > clock::now();
      if (ahead) {
        timer.expires_at(due);
        co_await timer.async_wait(asio::use_awaitable);
      }
      // A connection that was free: that it asks late is this program's doing, not the server's.
      if (ahead && due >= measured_) {
        outcome_.own_delays.push_back(std::chrono::duration<double>(clock::now() - due).count());
      }
      int status = 0;
      bool broken = false;
      try {
        co_await asio::async_write(socket, asio::buffer(plan_.request), asio::use_awaitable);
        status = co_await read(socket, answer);
      } catch (const std::exception&) {
        broken = true;
      }
      if (broken) {
        ++outcome_.broken;
        co_return;
      }
      const clock::time_point now = clock::now();
      if (due < measured_ || now > end_) continue;
      ++outcome_.statuses[status];
      auto& latencies = status == 200 ? outcome_.latencies : outcome_.refusal_latencies;
      latencies.push_back(std::chrono::duration<double>(now - due).count());
    }
  }

  static weft::task<int> read(tcp::socket& socket, std::string& answer) {
    answer.clear();
    std::size_t head = std::string::npos;
    while ((head = answer.find("\r\n\r\n")) == std::string::npos) co_await read_more(socket, answer);
    const std::size_t whole = head + 4 + length_of(std::string_view(answer).substr(0, head));
    while (answer.size() < whole) co_await read_more(socket, answer);
    co_return std::atoi(answer.c_str() + answer.find(' '));
  }

  // What the headers say of the body; their names may be in capitals or not.
  static std::size_t length_of(std::string_view headers) {
    constexpr std::string_view name = "content-length:";
    const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
    while (!headers.empty()) {
      headers.remove_prefix(std::min(headers.find('\n'), headers.size() - 1) + 1);
      const std::string_view start = headers.substr(0, name.size());
      if (std::equal(start.begin(), start.end(), name.begin(), name.end(), same))
        return std::stoul(std::string(headers.substr(name.size())));
    }
    throw std::runtime_error("an answer without a length");
  }

  static weft::task<> read_more(tcp::socket& socket, std::string& answer) {
    char room[16384];
    const std::size_t size = co_await socket.async_read_some(asio::buffer(room), asio::use_awaitable);
    answer.append(room, size);
  }

  const plan& plan_;
  asio::io_context loop_{1};
  clock::time_point start_;
  clock::time_point measured_;
  clock::time_point end_;
  std::uint64_t number_ = 0;
  outcome outcome_;
};

}  // namespace

outcome drive(const plan& what) {
  return run(what).finish();
}

double quantile(const std::vector<double>& ascending, double q) {
  if (ascending.empty()) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(ascending.size())));
  return ascending[std::min(std::max<std::size_t>(rank, 1), ascending.size()) - 1];
}

}  // namespace load
