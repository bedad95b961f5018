#include <market/stored_tick.hpp>
#include <market/tick_frame.hpp>
#include <weft/async/event.hpp>
#include <weft/async/latest.hpp>
#include <weft/async/race.hpp>
#include <weft/async/sleep.hpp>
#include <weft/async/task_group.hpp>
#include <weft/async/timeout.hpp>
#include <weft/core/error.hpp>
#include <weft/market/tick_server.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>

#include <unistd.h>

#include <algorithm>  // for std::min
#include <atomic>     // for std::atomic
#include <cstring>    // for std::memcpy
#include <optional>   // for std::optional
#include <random>     // for std::random_device
#include <utility>    // for std::exchange, std::move

namespace weft {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using detail::frame_header;
using detail::frame_kind;

using bytes = std::vector<std::byte>;
using frame = std::shared_ptr<const bytes>;

constexpr std::size_t most_frames_at_once = 32;  // in one write
constexpr std::size_t most_name_bytes = 500'000;
// How long no client is taken after the system could give none, for want of file descriptors for example.
constexpr std::chrono::milliseconds pause_after_failure{50};

[[noreturn]] void refuse(const std::string& what) {
  throw invalid_argument("tick_server_options: " + what);
}

asio::ip::address checked(const tick_server_options& options) {
  if (options.heartbeat.count() <= 0) refuse("heartbeat is not above 0 ms");
  if (options.patience.count() <= 0) refuse("patience is not above 0 ms");
  std::size_t names = 0;
  for (const std::string& name : options.symbols) {
    names += name.size() + 1;
    if (name.find('\n') != std::string::npos)
      refuse("symbols has a name with a line feed, it must be one line");
  }
  if (names > most_name_bytes) refuse("symbols has " + std::to_string(names) + " bytes, it may have 500000");
  error_code problem;
  asio::ip::address address = asio::ip::make_address(options.address, problem);
  if (problem) {
    refuse("address is '" + options.address + "', it must be an IP address such as 127.0.0.1 or 0.0.0.0");
  }
  return address;
}

void append(bytes& to, const void* from, std::size_t size) {
  const auto* const first = static_cast<const std::byte*>(from);
  to.insert(to.end(), first, first + size);
}

bytes framed(frame_kind kind, std::uint64_t number) {
  const frame_header header{.kind = kind, .number = number};
  bytes made;
  append(made, &header, sizeof(header));
  return made;
}

bytes hello(std::uint64_t session, std::uint64_t number, const std::vector<std::string>& symbols) {
  std::string names;
  for (const std::string& name : symbols) {
    if (&name != symbols.data()) names += '\n';
    names += name;
  }
  const detail::hello_frame body{.session = session};
  const frame_header header{.size = static_cast<std::uint32_t>(sizeof(body) + names.size()),
                            .kind = frame_kind::hello,
                            .number = number};
  bytes made;
  append(made, &header, sizeof(header));
  append(made, &body, sizeof(body));
  append(made, names.data(), names.size());
  return made;
}

bytes framed(std::span<const tick> ticks, std::uint64_t number) {
  const std::size_t size = ticks.size() * sizeof(detail::stored_tick);
  const frame_header header{
      .size = static_cast<std::uint32_t>(size), .kind = frame_kind::ticks, .number = number};
  bytes made(sizeof(header) + size);
  std::memcpy(made.data(), &header, sizeof(header));
  std::byte* place = made.data() + sizeof(header);
  for (const tick& each : ticks) {
    const detail::stored_tick one = detail::stored(each);
    std::memcpy(place, &one, sizeof(one));
    place += sizeof(one);
  }
  return made;
}

task<void> write_all(tcp::socket& socket, const std::vector<asio::const_buffer>& buffers) {
  co_await asio::async_write(socket, buffers, asio::use_awaitable);
}

task<void> write_one(tcp::socket& socket, const bytes& one, std::chrono::milliseconds patience) {
  const std::vector<asio::const_buffer> buffers{asio::buffer(one)};
  task<void> writing = write_all(socket, buffers);
  co_await timeout(std::move(writing), patience);
}

/// What has happened to the clients, for those who wait for some.
using news_of_clients = latest<std::monostate>;

/// One client more, while it lives.
class counted {
 public:
  counted(std::atomic<std::size_t>& clients, news_of_clients& news) : clients_(clients) {
    clients_.fetch_add(1, std::memory_order_relaxed);
    news.publish({});
  }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() { clients_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t>& clients_;
};

task<std::optional<tcp::socket>> next_client(tcp::acceptor& acceptor) {
  error_code problem;
  tcp::socket socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, problem));
  if (problem == asio::error::operation_aborted) throw cancelled();
  if (!problem) co_return std::move(socket);
  co_await sleep_for(pause_after_failure);
  co_return std::nullopt;
}

}  // namespace

struct tick_server::implementation {
  explicit implementation(tick_server_options chosen) : options(std::move(chosen)), frames(options.capacity) {
    const tcp::endpoint endpoint(checked(options), options.port);
    try {
      asio::io_context loop;
      tcp::acceptor acceptor(loop, endpoint);
      port = acceptor.local_endpoint().port();
      version = endpoint.protocol().family();
      listening = acceptor.release();
    } catch (const boost::system::system_error& failure) {
      throw error("tick_server: cannot listen on " + options.address + ", port " +
                  std::to_string(options.port) + ": " + failure.code().message());
    }
    std::random_device random;
    session = (std::uint64_t{random()} << 32) | random();
  }
  implementation(const implementation&) = delete;
  implementation& operator=(const implementation&) = delete;
  ~implementation() {
    if (listening >= 0) ::close(listening);
  }

  task<void> accept(task_group& group);
  task<void> serve(tcp::socket socket);
  task<void> send(tcp::socket& socket);

  tick_server_options options;
  std::uint64_t session = 0;
  std::uint16_t port = 0;
  int version = 0;
  int listening = -1;
  std::atomic<std::uint64_t> next_number{1};
  std::atomic<std::size_t> clients{0};
  news_of_clients news;
  broadcast<frame> frames;
  event ended;
};

// What a client gets, from the moment it is called.
task<void> tick_server::implementation::send(tcp::socket& socket) {
  // First the number: what is published meanwhile counts as missing rather than as sent twice.
  const bytes greeting = hello(session, next_number, options.symbols);
  auto mine = frames.subscribe(options.lag);
  const counted one_more(clients, news);
  co_await write_one(socket, greeting, options.patience);
  const bytes heartbeat = framed(frame_kind::heartbeat, 0);
  std::vector<frame> some;
  std::vector<asio::const_buffer> buffers;
  for (;;) {
    std::optional<frame> next = mine.try_next();
    bool silent = false;
    if (!next) {
      task<std::optional<frame>> coming = mine.next();
      try {
        next = co_await timeout(std::move(coming), options.heartbeat);
      } catch (const timeout_error&) {
        silent = true;
      }
    }
    if (silent) {
      co_await write_one(socket, heartbeat, options.patience);
      continue;
    }
    if (!next) break;
    some.clear();
    buffers.clear();
    while (next) {
      buffers.push_back(asio::buffer(**next));
      some.push_back(std::move(*next));
      if (some.size() == most_frames_at_once) break;
      next = mine.try_next();
    }
    task<void> writing = write_all(socket, buffers);
    co_await timeout(std::move(writing), options.patience);
  }
  const bytes last = framed(frame_kind::end, next_number);
  co_await write_one(socket, last, options.patience);
  socket.shutdown(tcp::socket::shutdown_send);
}

task<void> tick_server::implementation::serve(tcp::socket socket) {
  try {
    socket.set_option(tcp::no_delay(true));
    co_await send(socket);
  } catch (const timeout_error&) {                // takes nothing: dropped
  } catch (const boost::system::system_error&) {  // has gone
  }
}

task<void> tick_server::implementation::accept(task_group& group) {
  tcp::acceptor acceptor(co_await asio::this_coro::executor);
  acceptor.assign(version == tcp::v4().family() ? tcp::v4() : tcp::v6(), std::exchange(listening, -1));
  for (;;) {
    auto first = co_await race(next_client(acceptor), ended.wait());
    if (first.winner == 1) co_return;
    auto& client = std::get<0>(first.results);
    if (*client) group.spawn(serve(std::move(**client)));
  }
}

tick_server::tick_server(tick_server_options options)
    : implementation_(std::make_unique<implementation>(std::move(options))) {}

tick_server::~tick_server() = default;

std::uint16_t tick_server::port() const noexcept {
  return implementation_->port;
}

task<void> tick_server::run() {
  if (implementation_->listening < 0) throw error("tick_server::run(): it has run before, make another one");
  auto body = [this](task_group& group) { return implementation_->accept(group); };
  co_await with_task_group(body);
}

task<void> tick_server::publish(std::span<const tick> ticks) {
  while (!ticks.empty()) {
    const auto some = ticks.first(std::min(ticks.size(), detail::most_frame_ticks));
    frame made = std::make_shared<const bytes>(framed(some, implementation_->next_number));
    co_await implementation_->frames.publish(std::move(made));
    implementation_->next_number += some.size();
    ticks = ticks.subspan(some.size());
  }
}

void tick_server::close() {
  implementation_->frames.close();
  implementation_->news.publish({});
  implementation_->ended.set();
}

std::size_t tick_server::clients() const noexcept {
  return implementation_->clients.load(std::memory_order_relaxed);
}

task<void> tick_server::wait_for_clients(std::size_t count) {
  std::uint64_t seen = 0;
  for (;;) {
    if (implementation_->frames.closed()) throw queue_closed("tick_server::wait_for_clients(): it is closed");
    if (clients() >= count) co_return;
    const auto change = co_await implementation_->news.newer(seen);
    seen = change->version;
  }
}

}  // namespace weft
