#pragma once

#include <serve/connection.hpp>
#include <serve/serving_loop.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>     // for std::size_t
#include <cstdint>     // for std::uint16_t
#include <functional>  // for std::function
#include <memory>      // for std::unique_ptr
#include <vector>      // for std::vector

namespace weft::detail {

/// Takes connections, on the first loop, and hands them to the loops in turn.
class listener {
 public:
  /// Throws `error`, naming the address, if it cannot listen there.
  listener(server_core& core, std::vector<std::unique_ptr<serving_loop>>& loops);

  std::uint16_t port() const noexcept { return port_; }
  void start();
  /// Takes the connections that have been made already, and then no more; from any thread. Then calls
  /// closed().
  void close(std::function<void()> closed);

 private:
  void accept();
  void take(boost::asio::ip::tcp::socket socket);

  server_core& core_;
  std::vector<std::unique_ptr<serving_loop>>& loops_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer pause_;
  std::uint16_t port_ = 0;
  std::size_t next_ = 0;
};

}  // namespace weft::detail
