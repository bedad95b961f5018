#pragma once

#include <serve/connection.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>  // for std::chrono::milliseconds
#include <thread>  // for std::jthread

namespace weft::detail {

/// A thread that serves connections.
class serving_loop {
 public:
  serving_loop(server_core& core, std::chrono::milliseconds tick);
  serving_loop(const serving_loop&) = delete;
  serving_loop& operator=(const serving_loop&) = delete;
  /// As halt().
  ~serving_loop();

  /// Ends the thread and waits for it; the connections must have been closed. Idempotent.
  void halt();

  boost::asio::io_context& context() noexcept { return context_; }
  /// Takes a connection over; from any thread. It is counted already.
  void serve(boost::asio::ip::tcp::socket socket);
  /// Drops all connections; from any thread.
  void abort();

 private:
  void tick();

  server_core& core_;
  const std::chrono::milliseconds tick_;
  connection_list connections_;
  boost::asio::io_context context_{1};
  boost::asio::steady_timer timer_{context_};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{context_.get_executor()};
  std::jthread thread_;  // last: it uses the rest
};

}  // namespace weft::detail
