#pragma once

#include <serve/routes.hpp>
#include <serve/server_figures.hpp>
#include <weft/serve/server_options.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <atomic>      // for std::atomic
#include <chrono>      // for std::chrono::steady_clock
#include <functional>  // for std::function
#include <list>        // for std::list
#include <memory>      // for std::shared_ptr
#include <optional>    // for std::optional

namespace weft::detail {

using connection_clock = std::chrono::steady_clock;

/// What all threads of a server share.
struct server_core {
  explicit server_core(server_options chosen);

  const server_options options;
  model_repository models;
  server_figures figures;
  std::atomic<bool> draining{false};
  std::atomic<connection_clock::duration> drain_begin{};
  const routes answers{options, models, figures, draining};
  std::optional<boost::asio::ssl::context> tls;
  std::function<void()> connection_closed;  // called after figures.connections has gone down
};

/// A client's connection, on the thread of its loop.
class connection {
 public:
  connection() = default;
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  virtual ~connection() = default;

  virtual void start() = 0;
  /// Looks at its time limits; called every now and then.
  virtual void tick(connection_clock::time_point now) = 0;
  /// Drops what it does and closes.
  virtual void abort() = 0;
};

/// The connections of a thread.
class connection_list {
 public:
  using place = std::list<connection*>::iterator;

  place add(connection& member) { return members_.insert(members_.end(), &member); }
  void remove(place member) { members_.erase(member); }
  void tick(connection_clock::time_point now) {
    for (connection* each : members_) each->tick(now);
  }
  void abort() {
    for (connection* each : members_) each->abort();
  }

 private:
  std::list<connection*> members_;
};

/// A connection over that socket, with TLS if the core has it; it lives until it is closed.
std::shared_ptr<connection> make_connection(boost::asio::ip::tcp::socket socket, server_core& core,
                                            connection_list& all);

}  // namespace weft::detail
