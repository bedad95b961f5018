#pragma once

#include <weft/async/task.hpp>
#include <weft/market/tick_history.hpp>
#include <weft/market/tick_inbox.hpp>

#include <chrono>   // for std::chrono::milliseconds
#include <cstdint>  // for std::uint16_t, std::uint64_t
#include <memory>   // for std::unique_ptr
#include <string>   // for std::string
#include <vector>   // for std::vector

namespace weft {

/// Where a tick_client connects to, and how long it waits for what.
struct tick_client_options {
  /// A name or an IP address.
  std::string host = "127.0.0.1";
  /// The server's port; above 0.
  std::uint16_t port = 0;
  /// How long a server may say nothing, or take for a frame, before it is dropped; above the server's
  /// heartbeat.
  std::chrono::milliseconds silence{3000};
  /// How long it waits before it connects again, for a start; above 0. Twice as long each time that this did
  /// not help, and up to a half less by chance, so that clients do not come back all at once.
  std::chrono::milliseconds first_wait{100};
  /// At most so long; not below first_wait.
  std::chrono::milliseconds longest_wait{10'000};
  /// How many connections in a row may fail before it gives up; 0 for any number.
  std::uint64_t most_failures = 0;
};

/// What a tick_client has seen.
struct tick_client_counts {
  /// Connections to a server that said hello.
  std::uint64_t connections = 0;
  /// Connections that could not be made, broke, were silent or brought something else than frames.
  std::uint64_t failures = 0;
  /// Ticks that were put into the inbox.
  std::uint64_t ticks = 0;
  /// Ticks whose price is not a number above 0 or whose symbol is not one of the server's.
  std::uint64_t refused = 0;
  /// Ticks that the server sent before.
  std::uint64_t repeated = 0;
  /// Ticks that a server left out, or sent while it was not connected to it.
  std::uint64_t missing = 0;
  /// How often the server said that there is nothing to tell.
  std::uint64_t heartbeats = 0;
};

/// Puts the ticks of a tick_server into an inbox, connects again when the connection breaks, and counts what
/// was lost. A server that says nothing, or something else than frames, is dropped.
///
///     weft::tick_client client({.host = "feed", .port = 9000});
///     co_await client.run(inbox);
///
/// Thread safety: distinct objects safe; shared objects: run() is awaited once at a time, the rest is safe.
class tick_client {
 public:
  /// Throws invalid_argument if an option cannot work.
  explicit tick_client(tick_client_options options);
  tick_client(const tick_client&) = delete;
  tick_client& operator=(const tick_client&) = delete;
  ~tick_client();

  /// Runs until the server says that the feed is over. Throws error after most_failures failures, with the
  /// last one; queue_closed if the inbox is closed.
  ///
  /// Cancellation: the ticks that were put in before stay there. A name that is being resolved is waited for.
  task<void> run(tick_inbox& inbox);

  /// What it has seen so far.
  tick_client_counts counts() const;
  /// What was wrong with the last connection that failed; empty if none has.
  std::string last_failure() const;
  /// The names of the server's symbols, that of tick::symbol 0 first; none before the first connection, or if
  /// the server names none.
  std::vector<std::string> symbols() const;
  /// The first 100 ticks that were refused.
  std::vector<refused_tick> refusals() const;

 private:
  struct implementation;
  std::unique_ptr<implementation> implementation_;
};

}  // namespace weft
