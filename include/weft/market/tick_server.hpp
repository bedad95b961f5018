#pragma once

#include <weft/async/broadcast.hpp>
#include <weft/async/task.hpp>
#include <weft/market/tick.hpp>

#include <chrono>   // for std::chrono::milliseconds
#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::uint16_t
#include <memory>   // for std::unique_ptr
#include <span>     // for std::span
#include <string>   // for std::string
#include <vector>   // for std::vector

namespace weft {

/// Where and how a tick_server listens.
struct tick_server_options {
  /// The address it listens on: this machine only, unless told otherwise.
  std::string address = "127.0.0.1";
  /// The port; 0: one that is free, see tick_server::port().
  std::uint16_t port = 0;
  /// The names of the symbols: that of tick::symbol 0 first. At most 500 kB of them, without line feeds.
  std::vector<std::string> symbols{};
  /// After how long a silence clients are told that there is nothing to tell; above 0.
  std::chrono::milliseconds heartbeat{1000};
  /// How long a client may take to take what it is sent, before it is dropped; above 0.
  std::chrono::milliseconds patience{5000};
  /// How many frames a client may be behind; at least 1. publish() makes one of up to 4,096 ticks.
  std::size_t capacity = 256;
  /// What happens when it is.
  lag_policy lag = lag_policy::wait;
};

/// Sends ticks over TCP to any number of tick_client, each from the moment it connects.
///
///     weft::tick_server server({.port = 9000, .symbols = {"IBM"}});
///     group.spawn([&] { return server.run(); });
///     co_await server.wait_for_clients();
///     co_await server.publish(ticks);
///
/// Bytes are not encrypted and clients not asked who they are: across a network, that is a tunnel's job.
///
/// Thread safety: distinct objects safe; shared objects safe, but for publish(), which one coroutine at a
/// time awaits. Cancellation: run() drops the clients; publish() has given a part of the ticks to all clients
/// and the rest to none.
class tick_server {
 public:
  /// Listens from now on. Throws invalid_argument if an option cannot work, error if it cannot listen there.
  explicit tick_server(tick_server_options options = {});
  tick_server(const tick_server&) = delete;
  tick_server& operator=(const tick_server&) = delete;
  /// run() must have ended.
  ~tick_server();

  /// Where it listens.
  std::uint16_t port() const noexcept;

  /// Takes clients and sends; returns after close(), when every client has got what it was to get or was
  /// dropped. Once.
  task<void> run();

  /// Hands ticks to the clients there are; waits for the slowest by lag_policy::wait. Throws queue_closed
  /// once it is closed. The ticks must outlive the await.
  task<void> publish(std::span<const tick> ticks);

  /// Takes no more ticks and clients, and tells those that are there, after what was published before, that
  /// this is the end.
  void close();

  /// How many clients are connected; a momentary value.
  std::size_t clients() const noexcept;

  /// Waits until so many are connected: what is published before a client comes is not for it. Throws
  /// queue_closed once the server is closed.
  ///
  /// Cancellation: nothing has changed.
  task<void> wait_for_clients(std::size_t count = 1);

 private:
  struct implementation;
  std::unique_ptr<implementation> implementation_;
};

}  // namespace weft
