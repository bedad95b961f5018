#include <market/stored_tick.hpp>
#include <market/tick_frame.hpp>
#include <weft/async/sleep.hpp>
#include <weft/async/timeout.hpp>
#include <weft/core/error.hpp>
#include <weft/core/philox.hpp>
#include <weft/market/tick_client.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>  // for std::min, std::max
#include <cmath>      // for std::isfinite
#include <cstddef>    // for std::byte, std::size_t
#include <cstring>    // for std::memcpy, std::memmove
#include <limits>     // for std::numeric_limits
#include <mutex>      // for std::mutex
#include <random>     // for std::random_device
#include <span>       // for std::span
#include <utility>    // for std::move

namespace weft {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using detail::frame_header;
using detail::frame_kind;
using std::chrono::steady_clock;

constexpr std::size_t read_size = std::size_t{256} << 10;

const tick_client_options& checked(const tick_client_options& options) {
  const auto refuse = [](const std::string& what) { throw invalid_argument("tick_client_options: " + what); };
  if (options.host.empty()) refuse("host is empty, it must be a name or an IP address");
  if (options.port == 0) refuse("port is 0, it must be the server's");
  if (options.silence.count() <= 0) refuse("silence is not above 0 ms");
  if (options.first_wait.count() <= 0) refuse("first_wait is not above 0 ms");
  if (options.longest_wait < options.first_wait) refuse("longest_wait is below first_wait");
  return options;
}

task<void> connect(tcp::socket& socket, const std::string& host, std::uint16_t port) {
  boost::system::error_code problem;
  const asio::ip::address address = asio::ip::make_address(host, problem);
  if (!problem) {
    co_await socket.async_connect({address, port}, asio::use_awaitable);
    co_return;
  }
  tcp::resolver resolver(socket.get_executor());
  const auto found = co_await resolver.async_resolve(host, std::to_string(port), asio::use_awaitable);
  co_await asio::async_connect(socket, found, asio::use_awaitable);
}

task<std::size_t> read_some(tcp::socket& socket, std::span<std::byte> room) {
  co_return co_await socket.async_read_some(asio::buffer(room.data(), room.size()), asio::use_awaitable);
}

/// What has come over a connection and is not a whole frame yet.
class frame_buffer {
 public:
  /// The next frame's header, if it has come, its size being checked.
  bool has_header(frame_header& header) const {
    if (end_ - begin_ < sizeof(header)) return false;
    std::memcpy(&header, bytes_.data() + begin_, sizeof(header));
    if (header.size > detail::most_frame_bytes) {
      throw error("it sent a frame of " + std::to_string(header.size) + " bytes, at most " +
                  std::to_string(detail::most_frame_bytes) + " are allowed");
    }
    return true;
  }

  /// Whether the rest of it has come.
  bool has_frame(const frame_header& header) const { return end_ - begin_ >= sizeof(header) + header.size; }

  /// Takes it out. It stays until room() is called.
  std::span<const std::byte> take(const frame_header& header) {
    const std::span<const std::byte> body(bytes_.data() + begin_ + sizeof(header), header.size);
    begin_ += sizeof(header) + header.size;
    return body;
  }

  /// Where more can be put, with room for the rest of the next frame.
  std::span<std::byte> room() {
    std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    if (bytes_.size() - end_ < read_size) bytes_.resize(end_ + read_size);
    return std::span(bytes_).subspan(end_);
  }
  void grew(std::size_t size) { end_ += size; }

 private:
  std::vector<std::byte> bytes_ = std::vector<std::byte>(read_size);
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace

struct tick_client::implementation {
  explicit implementation(tick_client_options chosen) : options(std::move(chosen)), waits(random_seed()) {}

  static std::uint64_t random_seed() {
    std::random_device random;
    return random();
  }

  task<bool> try_once(tick_inbox& inbox);
  task<bool> read_feed(tcp::socket& socket, tick_inbox& inbox);
  task<void> take_ticks(std::uint64_t number, std::span<const std::byte> body, tick_inbox& inbox);
  void take_hello(std::uint64_t number, std::span<const std::byte> body);
  void count_missing(std::uint64_t number);
  bool refused(const tick& next, std::uint64_t number);
  void failed(std::string why);

  const tick_client_options options;
  const philox waits;
  // Of run() alone.
  std::uint64_t failures_in_a_row = 0;
  std::uint64_t session = 0;
  std::uint64_t next_number = 0;  // 0: any will do
  bool greeted = false;

  mutable std::mutex mutex;  // over what is seen from outside, which run() alone writes
  tick_client_counts counts;
  std::string last_failure;
  std::vector<std::string> symbols;
  std::vector<refused_tick> refusals;
};

void tick_client::implementation::failed(std::string why) {
  ++failures_in_a_row;
  const std::lock_guard lock(mutex);
  ++counts.failures;
  last_failure = std::move(why);
}

void tick_client::implementation::take_hello(std::uint64_t number, std::span<const std::byte> body) {
  detail::hello_frame said;
  if (body.size() >= sizeof(said)) std::memcpy(&said, body.data(), sizeof(said));
  if (body.size() < sizeof(said) || said.magic != detail::frame_magic) {
    throw error("it does not begin as a tick_server does");
  }
  if (said.session != session) next_number = number;
  session = said.session;
  greeted = true;
  const std::lock_guard lock(mutex);
  ++counts.connections;
  symbols.clear();
  const auto names = body.subspan(sizeof(said));
  if (names.empty()) return;
  symbols.emplace_back();
  for (const std::byte each : names) {
    if (each == std::byte{'\n'}) {
      symbols.emplace_back();
    } else {
      symbols.back() += static_cast<char>(each);
    }
  }
}

void tick_client::implementation::count_missing(std::uint64_t number) {
  if (next_number == 0 || number <= next_number) return;
  const std::lock_guard lock(mutex);
  counts.missing += number - next_number;
}

bool tick_client::implementation::refused(const tick& next, std::uint64_t number) {
  const bool named = symbols.empty() || next.symbol < symbols.size();
  if (named && std::isfinite(next.price) && next.price > 0.0) return false;
  const std::lock_guard lock(mutex);
  ++counts.refused;
  if (refusals.size() < detail::most_refusals) {
    refusals.push_back({static_cast<std::int64_t>(number),
                        named && !symbols.empty() ? symbols[next.symbol] : std::to_string(next.symbol),
                        named ? "price is " + std::to_string(next.price)
                              : "symbol is one of " + std::to_string(symbols.size())});
  }
  return true;
}

task<void> tick_client::implementation::take_ticks(std::uint64_t number, std::span<const std::byte> body,
                                                   tick_inbox& inbox) {
  const std::size_t size = body.size() / sizeof(detail::stored_tick);
  if (body.size() % sizeof(detail::stored_tick) != 0 || number == 0 ||
      number > std::numeric_limits<std::uint64_t>::max() - size) {
    throw error("it sent " + std::to_string(body.size()) + " bytes of ticks from number " +
                std::to_string(number) + " on, which cannot be");
  }
  count_missing(number);
  std::uint64_t repeated = 0;
  std::uint64_t taken = 0;
  for (std::size_t i = 0; i < size; ++i, ++number) {
    if (number < next_number) {
      ++repeated;
      continue;
    }
    detail::stored_tick one;
    std::memcpy(&one, body.data() + i * sizeof(one), sizeof(one));
    const tick next = detail::loaded(one);
    if (!refused(next, number)) {
      co_await inbox.push(next);
      ++taken;
    }
    next_number = number + 1;
  }
  const std::lock_guard lock(mutex);
  counts.repeated += repeated;
  counts.ticks += taken;
}

// True at the end of the feed.
task<bool> tick_client::implementation::read_feed(tcp::socket& socket, tick_inbox& inbox) {
  frame_buffer buffer;
  frame_header header;
  auto until = steady_clock::now() + options.silence;
  for (;;) {
    bool whole = buffer.has_header(header);
    if (whole && (header.kind == frame_kind::hello) == greeted) {
      throw error(greeted ? "it said hello twice" : "it did not say hello");
    }
    whole = whole && buffer.has_frame(header);
    if (!whole) {
      const auto room = buffer.room();
      const auto left = std::max(until - steady_clock::now(), steady_clock::duration(0));
      task<std::size_t> reading = read_some(socket, room);
      const std::size_t size = co_await timeout(std::move(reading), left);
      buffer.grew(size);
      continue;
    }
    const auto body = buffer.take(header);
    switch (header.kind) {
      case frame_kind::hello:
        take_hello(header.number, body);
        break;
      case frame_kind::ticks:
        co_await take_ticks(header.number, body, inbox);
        failures_in_a_row = 0;
        break;
      case frame_kind::heartbeat: {
        const std::lock_guard lock(mutex);
        ++counts.heartbeats;
        failures_in_a_row = 0;
        break;
      }
      case frame_kind::end:
        count_missing(header.number);
        co_return true;
      default:
        throw error("it sent a frame of kind " + std::to_string(static_cast<std::uint32_t>(header.kind)) +
                    ", which there is not");
    }
    until = steady_clock::now() + options.silence;
  }
}

// True at the end of the feed.
task<bool> tick_client::implementation::try_once(tick_inbox& inbox) {
  greeted = false;
  std::string why;
  try {
    tcp::socket socket(co_await asio::this_coro::executor);
    task<void> connecting = connect(socket, options.host, options.port);
    co_await timeout(std::move(connecting), options.silence);
    const bool ended = co_await read_feed(socket, inbox);
    co_return ended;
  } catch (const cancelled&) {
    throw;
  } catch (const queue_closed&) {
    throw;
  } catch (const timeout_error&) {
    why = "it has said nothing for " + std::to_string(options.silence.count()) + " ms";
  } catch (const boost::system::system_error& failure) {
    why = failure.code().message();
  } catch (const error& failure) {
    why = failure.what();
  }
  failed(options.host + ":" + std::to_string(options.port) + ": " + why);
  co_return false;
}

tick_client::tick_client(tick_client_options options)
    : implementation_(std::make_unique<implementation>(checked(options))) {}

tick_client::~tick_client() = default;

task<void> tick_client::run(tick_inbox& inbox) {
  implementation& all = *implementation_;
  all.failures_in_a_row = 0;
  for (;;) {
    const bool ended = co_await all.try_once(inbox);
    if (ended) co_return;
    if (all.options.most_failures != 0 && all.failures_in_a_row >= all.options.most_failures) {
      throw error("tick_client: " + last_failure());
    }
    const std::chrono::duration<double, std::milli> first = all.options.first_wait;
    const std::chrono::duration<double, std::milli> longest = all.options.longest_wait;
    const auto doubled = std::min(
        first * std::ldexp(1.0, static_cast<int>(std::min<std::uint64_t>(all.failures_in_a_row - 1, 60))),
        longest);
    co_await sleep_for(doubled * (1.0 - 0.5 * all.waits.uniform(counts().failures)));
  }
}

tick_client_counts tick_client::counts() const {
  const std::lock_guard lock(implementation_->mutex);
  return implementation_->counts;
}

std::string tick_client::last_failure() const {
  const std::lock_guard lock(implementation_->mutex);
  return implementation_->last_failure;
}

std::vector<std::string> tick_client::symbols() const {
  const std::lock_guard lock(implementation_->mutex);
  return implementation_->symbols;
}

std::vector<refused_tick> tick_client::refusals() const {
  const std::lock_guard lock(implementation_->mutex);
  return implementation_->refusals;
}

}  // namespace weft
