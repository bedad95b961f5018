#include <serve/connection.hpp>

#include <serve/request_reader.hpp>
#include <weft/async/detail/waiter.hpp>
#include <weft/core/error.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/status.hpp>

#include <fmt/format.h>

#include <array>        // for std::array
#include <exception>    // for std::exception_ptr
#include <string>       // for std::string
#include <type_traits>  // for std::is_same_v
#include <utility>      // for std::exchange, std::move
#include <vector>       // for std::vector

namespace weft::detail {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using tls_stream = asio::ssl::stream<tcp::socket>;

constexpr std::size_t chunk_size =
    2048;  // what a connection reads at once, but for bodies; it keeps this while idle
constexpr std::chrono::milliseconds linger_time{1000};
// Draining, a connection may still send the request that was on its way.
constexpr std::chrono::milliseconds drain_grace{500};
constexpr std::string_view continue_line = "HTTP/1.1 100 Continue\r\n\r\n";

std::string head_of(const http_response& response, bool keep) {
  const auto reason =
      boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(response.status));
  return fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}{}\r\n", response.status,
                     std::string_view(reason.data(), reason.size()), response.content_type, response.size(),
                     response.headers, keep ? "" : "Connection: close\r\n");
}

// One coroutine reads requests and answers them in turn. While it waits for a model a read is open beside it,
// which takes in what is pipelined and notices when the client leaves.
template <class Stream>
class http_connection final : public connection,
                              public std::enable_shared_from_this<http_connection<Stream>> {
 public:
  template <class... More>
  http_connection(server_core& core, connection_list& all, tcp::socket socket, More&... more)
      : core_(core), all_(all), stream_(std::move(socket), more...), place_(all.add(*this)) {}

  ~http_connection() override {
    all_.remove(place_);
    core_.figures.connections.fetch_sub(1);
    core_.connection_closed();
  }

  void start() override {
    error_code ignored;
    lowest().set_option(tcp::no_delay(true), ignored);
    lowest().non_blocking(true, ignored);
    auto self = this->shared_from_this();
    asio::co_spawn(
        stream_.get_executor(), serve(),
        asio::bind_cancellation_slot(signal_.slot(), [self](const std::exception_ptr&) { self->close(); }));
  }

  void tick(connection_clock::time_point now) override {
    if (phase_ == phase::idle) {
      // The read that is open may have taken in a request already, of which it will tell.
      if ((now >= deadline_ || drained(now)) && nothing_came()) cancel_read();
    } else if (now >= deadline_) {
      deadline_ = connection_clock::time_point::max();
      if (phase_ == phase::header || phase_ == phase::body) {
        timed_out_ = true;
        cancel_read();  // whoever waits for the rest answers
      } else {
        close();
      }
    }
  }

  void abort() override {
    if (phase_ == phase::answering) signal_.emit(asio::cancellation_type::terminal);
    close();
  }

 private:
  enum class phase : std::uint8_t { handshake, idle, header, body, answering, writing, lingering };

  static constexpr bool encrypted = std::is_same_v<Stream, tls_stream>;

  auto& lowest() { return stream_.lowest_layer(); }

  void close() {
    error_code ignored;
    lowest().close(ignored);
  }

  void cancel_read() {
    error_code ignored;
    lowest().cancel(ignored);
  }

  bool drained(connection_clock::time_point now) const {
    if (!core_.draining.load(std::memory_order_acquire)) return false;
    const connection_clock::time_point begin(core_.drain_begin.load());
    return now - begin >= drain_grace;
  }

  bool nothing_came() {
    error_code problem;
    return lowest().available(problem) == 0 || problem;
  }

  void enter(phase next) {
    const server_limits& limits = core_.options.limits;
    phase_ = next;
    const auto now = connection_clock::now();
    switch (next) {
      case phase::handshake:
      case phase::header:
        deadline_ = now + limits.header;
        break;
      case phase::idle:
        deadline_ = now + limits.idle;
        break;
      case phase::body:
      case phase::writing:
        deadline_ = now + limits.body;
        break;
      case phase::answering:
        deadline_ = connection_clock::time_point::max();
        break;
      case phase::lingering:
        deadline_ = now + linger_time;
        break;
    }
  }

  task<> serve() {
    if constexpr (encrypted) {
      enter(phase::handshake);
      error_code problem;
      co_await stream_.async_handshake(tls_stream::server,
                                       asio::redirect_error(asio::use_awaitable, problem));
      if (problem) co_return;
    }
    bool keep = true;
    while (keep) {
      std::optional<http_request> request;
      std::optional<http_response> response;
      try {
        request = co_await read_request(keep);
      } catch (const http_error&) {
        response = error_response(std::current_exception());
      }
      if (request) {
        enter(phase::answering);
        watch();
        try {
          response = co_await core_.answers.answer(std::move(*request));
        } catch (const cancelled&) {
          core_.figures.left.fetch_add(1, std::memory_order_relaxed);
        }
      } else {
        keep = false;
      }
      if (!response) co_return;  // there is no request, or nobody who waits for its answer
      if (core_.draining.load(std::memory_order_relaxed)) keep = false;
      core_.figures.responses[response->status].fetch_add(1, std::memory_order_relaxed);
      enter(phase::writing);
      const std::string head = head_of(*response, keep);
      std::vector<asio::const_buffer> unsent = buffers_of(head, *response);
      bool written = write_at_once(unsent);
      if (written && !unsent.empty()) written = co_await write_all(unsent);
      if (!written) co_return;
    }
    co_await linger();
  }

  task<std::optional<http_request>> read_request(bool& keep) {
    enter(pending_.empty() ? phase::idle : phase::header);
    request_reader reader(core_.options.limits);
    bool told_to_continue = false;
    while (true) {
      const bool had_headers = reader.has_headers();
      reader.take(pending_);
      if (reader.done()) break;
      if (reader.has_headers() && !had_headers) enter(phase::body);
      if (reader.expects_continue() && pending_.empty() && !told_to_continue) {
        told_to_continue = true;
        const std::vector<asio::const_buffer> line{asio::buffer(continue_line)};
        const bool told = co_await write_all(line);
        if (!told) co_return std::nullopt;
      }
      const bool more = co_await read_more(reader);
      if (!more) {
        if (!reader.has_begun() || broken_) co_return std::nullopt;
        throw http_error(400, "the request is cut off");
      }
    }
    keep = reader.keep_alive();
    can_be_told_ = reader.is_http_1_1();
    co_return reader.finish();
  }

  // Waits until more of the request has come; false at the end of the stream.
  task<bool> read_more(request_reader& reader) {
    const std::span<std::byte> room = reader.body_room();
    const bool straight = !reading_ && !room.empty();
    if (!reading_) {
      if (ended_) co_return false;
      // The body of a large request is read to where it stays.
      if (straight) {
        start_read(asio::buffer(room.data(), room.size()));
      } else {
        start_read(asio::buffer(chunk_));
      }
    }
    coroutine_waiter self;
    auto enlist = [&] {
      waiting_ = &self;
      return true;
    };
    auto cancel = [] {};  // closing the socket wakes it
    straight_ = straight;
    co_await self.suspend(enlist, cancel);
    if (timed_out_) {
      timed_out_ = ended_ = broken_ = false;  // the read was taken back, the stream goes on
      throw http_error(408, "the request did not come in time");
    }
    if (ended_) co_return false;
    if (straight) reader.body_grew(std::exchange(straight_size_, 0));
    co_return true;
  }

  void start_read(asio::mutable_buffer where) {
    reading_ = true;
    stream_.async_read_some(where, [self = this->shared_from_this()](error_code problem, std::size_t size) {
      self->has_read(problem, size);
    });
  }

  void has_read(error_code problem, std::size_t size) {
    reading_ = false;
    if (problem) {
      ended_ = true;
      broken_ = problem != asio::error::eof;
    } else if (straight_) {
      straight_size_ = size;
    } else {
      pending_.append(chunk_.data(), size);
      if (phase_ == phase::idle) enter(phase::header);
    }
    straight_ = false;
    if (waiting_ != nullptr) {
      coroutine_waiter& waiter = *std::exchange(waiting_, nullptr);
      waiter.set_reason(wake_reason::ready);
      waiter.wake();
    } else if (phase_ == phase::answering) {
      watch();
    }
  }

  // While a request is answered.
  void watch() {
    if (ended_) {
      client_ended();
    } else if (!reading_ && pending_.size() < core_.options.limits.header_bytes) {
      start_read(asio::buffer(chunk_));
    }
  }

  // The client sends no more. It may have gone, or wait for its answer with its sending side closed: that
  // cannot be told apart until something is sent, which who has gone answers with a reset. An interim
  // response may be sent.
  void client_ended() {
    if constexpr (encrypted) {
      signal_.emit(asio::cancellation_type::terminal);
    } else {
      error_code problem;
      if (!broken_ && can_be_told_) stream_.write_some(asio::buffer(continue_line), problem);
      if (broken_ || !can_be_told_ || problem) {
        signal_.emit(asio::cancellation_type::terminal);
        return;
      }
      stream_.async_wait(tcp::socket::wait_error, [self = this->shared_from_this()](error_code failure) {
        if (!failure && self->phase_ == phase::answering)
          self->signal_.emit(asio::cancellation_type::terminal);
      });
    }
  }

  static std::vector<asio::const_buffer> buffers_of(const std::string& head, const http_response& response) {
    std::vector<asio::const_buffer> buffers{asio::buffer(head), asio::buffer(response.text)};
    for (const inference_tensor& each : response.attachments) {
      buffers.push_back(asio::buffer(each.bytes().data(), each.bytes().size()));
    }
    return buffers;
  }

  // Mostly the socket takes it all; what it does not take stays in the buffers. False if it is broken.
  bool write_at_once([[maybe_unused]] std::vector<asio::const_buffer>& buffers) {
    if constexpr (!encrypted) {
      error_code problem;
      std::size_t size = stream_.write_some(buffers, problem);
      if (problem) return problem == asio::error::would_block;
      auto first = buffers.begin();
      for (; first != buffers.end() && size >= first->size(); ++first) size -= first->size();
      if (first != buffers.end()) *first += size;
      buffers.erase(buffers.begin(), first);
    }
    return true;
  }

  task<bool> write_all(const std::vector<asio::const_buffer>& buffers) {
    error_code problem;
    co_await asio::async_write(stream_, buffers, asio::redirect_error(asio::use_awaitable, problem));
    co_return !problem;
  }

  // What the client still sends must be read, or it would lose the response to the reset that closing sends.
  task<> linger() {
    enter(phase::lingering);
    error_code ignored;
    lowest().shutdown(tcp::socket::shutdown_send, ignored);
    request_reader none(core_.options.limits);
    for (bool more = true; more;) {
      pending_.clear();
      more = co_await read_more(none);
    }
  }

  server_core& core_;
  connection_list& all_;
  Stream stream_;
  const connection_list::place place_;
  asio::cancellation_signal signal_;
  connection_clock::time_point deadline_ = connection_clock::time_point::max();
  coroutine_waiter* waiting_ = nullptr;
  std::string pending_;  // read, but not yet part of a request
  std::size_t straight_size_ = 0;
  phase phase_ = phase::idle;
  bool reading_ = false;
  bool straight_ = false;  // the read that is open goes to the body
  bool ended_ = false;
  bool broken_ = false;  // it ended with an error
  bool timed_out_ = false;
  bool can_be_told_ = true;  // the request that is answered is HTTP/1.1
  std::array<char, chunk_size> chunk_;
};

}  // namespace

std::shared_ptr<connection> make_connection(tcp::socket socket, server_core& core, connection_list& all) {
  if (core.tls) return std::make_shared<http_connection<tls_stream>>(core, all, std::move(socket), *core.tls);
  return std::make_shared<http_connection<tcp::socket>>(core, all, std::move(socket));
}

}  // namespace weft::detail
