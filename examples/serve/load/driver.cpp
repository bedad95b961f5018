#include "driver.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>    // for std::sort, std::min, std::max, std::equal
#include <array>        // for std::array
#include <cctype>       // for std::tolower
#include <cmath>        // for std::ceil
#include <cstdlib>      // for std::atoi
#include <deque>        // for std::deque
#include <optional>     // for std::optional
#include <stdexcept>    // for std::runtime_error
#include <string_view>  // for std::string_view

namespace load {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using clock = std::chrono::steady_clock;

constexpr auto patience = std::chrono::seconds(10);  // for the last answers
// Requests that come closer than this are sent together: waking for each of them would cost more than sending
// it, on processors that the server needs.
constexpr std::chrono::microseconds step{100};

clock::duration in_clock(double seconds) {
  return std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(seconds));
}

// What the headers say of the body; their names may be in capitals or not.
std::size_t length_of(std::string_view headers) {
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

// A connection. Callbacks and not coroutines, and a write that mostly is one call: what the driver takes of
// the processors it shares with the server is no answer.
class client {
 public:
  client(asio::io_context& loop, const std::string& request) : socket_(loop), request_(request) {}

  void connect(const tcp::endpoint& server) {
    socket_.connect(server);
    socket_.set_option(tcp::no_delay(true));
    socket_.non_blocking(true);
  }

  /// Calls done(client, status) with the answer, and with nothing if the connection ends instead.
  template <class Done>
  void ask(clock::time_point due, Done done) {
    due_ = due;
    answer_.clear();
    error_code problem;
    const std::size_t sent = socket_.write_some(asio::buffer(request_), problem);
    if (problem && problem != asio::error::would_block) return done(*this, std::optional<int>());
    if (sent == request_.size()) return read(done);
    asio::async_write(socket_, asio::buffer(request_) + sent, [this, done](error_code failure, std::size_t) {
      if (failure) return done(*this, std::optional<int>());
      read(done);
    });
  }

  clock::time_point due() const { return due_; }

 private:
  template <class Done>
  void read(Done done) {
    socket_.async_read_some(asio::buffer(room_), [this, done](error_code problem, std::size_t size) {
      if (problem) return done(*this, std::optional<int>());
      answer_.append(room_.data(), size);
      const std::size_t head = answer_.find("\r\n\r\n");
      if (head == std::string::npos ||
          answer_.size() < head + 4 + length_of(std::string_view(answer_).substr(0, head)))
        return read(done);
      done(*this, std::optional<int>(std::atoi(answer_.c_str() + answer_.find(' '))));
    });
  }

  tcp::socket socket_;
  const std::string& request_;
  clock::time_point due_;
  std::string answer_;
  std::array<char, 4096> room_;
};

// One run, on one thread.
class run {
 public:
  explicit run(const plan& what) : plan_(what) {
    const tcp::endpoint server(asio::ip::make_address(what.host), what.port);
    for (int i = 0; i < what.connections; ++i) {
      clients_.emplace_back(loop_, what.request).connect(server);
      free_.push_back(&clients_.back());
    }
    // Only now: what connecting takes is nobody's delay.
    start_ = clock::now();
    measured_ = start_ + in_clock(what.warm_up);
    end_ = start_ + in_clock(what.seconds);
    asio::post(loop_, [this] { send_due(); });
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
  // When the next request is due; with a rate, requests have their times, whichever connection takes them.
  clock::time_point next_due(clock::time_point now) const {
    if (plan_.rate <= 0) return now;
    return start_ + in_clock(static_cast<double>(number_) / plan_.rate);
  }

  // Sends what is due over the connections that are free.
  void send_due() {
    waiting_ = false;
    while (!free_.empty()) {
      const clock::time_point now = clock::now();
      const clock::time_point due = next_due(now);
      if (due >= end_) return;
      if (due > now) return wait_until(std::max(due, now + step));
      // A connection was free: that it asks late is this program's doing, not the server's.
      if (plan_.rate > 0 && due >= measured_)
        outcome_.own_delays.push_back(std::chrono::duration<double>(now - due).count());
      client& next = *free_.back();  // as connection pools mostly do
      free_.pop_back();
      send(next, due);
    }
  }

  void wait_until(clock::time_point when) {
    waiting_ = true;
    timer_.expires_at(when);
    timer_.async_wait([this](error_code) { send_due(); });
  }

  void send(client& who, clock::time_point due) {
    ++number_;
    who.ask(due, [this](client& asked, std::optional<int> status) { answered(asked, status); });
  }

  void answered(client& who, std::optional<int> status) {
    const clock::time_point now = clock::now();
    if (!status) {
      ++outcome_.broken;
      return;
    }
    if (who.due() >= measured_ && now <= end_) {
      ++outcome_.statuses[*status];
      auto& latencies = *status == 200 ? outcome_.latencies : outcome_.refusal_latencies;
      latencies.push_back(std::chrono::duration<double>(now - who.due()).count());
    }
    const clock::time_point due = next_due(now);
    if (due >= end_) return;
    if (free_.empty() && due <= now) return send(who, due);  // it was waited for
    free_.push_back(&who);
    if (!waiting_) send_due();
  }

  const plan& plan_;
  asio::io_context loop_{1};
  asio::steady_timer timer_{loop_};
  std::deque<client> clients_;
  std::vector<client*> free_;
  clock::time_point start_;
  clock::time_point measured_;
  clock::time_point end_;
  std::uint64_t number_ = 0;
  bool waiting_ = false;  // for the time of the next request
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
