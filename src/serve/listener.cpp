#include <serve/listener.hpp>

#include <weft/core/error.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>       // for std::chrono::milliseconds
#include <string_view>  // for std::string_view
#include <utility>      // for std::move

namespace weft::detail {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// How long no connection is taken after the system could give none, for want of file descriptors for example.
constexpr std::chrono::milliseconds pause_after_failure{50};

constexpr std::string_view too_many =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: "
    "53\r\nRetry-After: 1\r\n"
    "Connection: close\r\n\r\n{\"error\":\"the server has all the connections it may\"}";

}  // namespace

listener::listener(server_core& core, std::vector<std::unique_ptr<serving_loop>>& loops)
    : core_(core), loops_(loops), acceptor_(loops.front()->context()), pause_(loops.front()->context()) {
  const server_options& options = core.options;
  error_code problem;
  const asio::ip::address address = asio::ip::make_address(options.address, problem);
  if (problem) {
    throw invalid_argument("server_options: address is '" + options.address +
                           "', it must be an IP address such as 127.0.0.1 or 0.0.0.0");
  }
  const tcp::endpoint endpoint(address, options.port);
  try {
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    acceptor_.bind(endpoint);
    acceptor_.listen();
    acceptor_.non_blocking(true);
    port_ = acceptor_.local_endpoint().port();
  } catch (const boost::system::system_error& failure) {
    throw error("inference_server: cannot listen on " + options.address + ", port " +
                std::to_string(options.port) + ": " + failure.code().message());
  }
}

void listener::start() {
  asio::post(loops_.front()->context(), [this] { accept(); });
}

void listener::accept() {
  if (!acceptor_.is_open()) return;
  acceptor_.async_accept(loops_[next_]->context(), [this](error_code problem, tcp::socket socket) {
    if (problem == asio::error::operation_aborted) return;
    if (!problem) {
      take(std::move(socket));
      accept();
      return;
    }
    pause_.expires_after(pause_after_failure);
    pause_.async_wait([this](error_code stopped) {
      if (!stopped) accept();
    });
  });
}

void listener::take(tcp::socket socket) {
  server_figures& figures = core_.figures;
  if (figures.connections.load() >= core_.options.limits.connections) {
    figures.refused.fetch_add(1);
    error_code ignored;
    static_cast<void>(socket.non_blocking(true, ignored));
    if (!core_.tls) socket.write_some(asio::buffer(too_many), ignored);
    static_cast<void>(socket.shutdown(tcp::socket::shutdown_send, ignored));
    return;
  }
  figures.connections.fetch_add(1);
  figures.accepted.fetch_add(1);
  serving_loop& loop = *loops_[next_];
  next_ = (next_ + 1) % loops_.size();
  loop.serve(std::move(socket));
}

void listener::close(std::function<void()> closed) {
  asio::post(loops_.front()->context(), [this, closed = std::move(closed)]() mutable {
    error_code problem;
    // As many as can have waited: others may go on to come.
    for (int waiting = asio::socket_base::max_listen_connections; waiting > 0 && acceptor_.is_open();
         --waiting) {
      tcp::socket socket(loops_[next_]->context());
      if (acceptor_.accept(socket, problem)) break;
      take(std::move(socket));
    }
    pause_.cancel();
    static_cast<void>(acceptor_.close(problem));
    // Behind a connection whose acceptance is queued already.
    asio::post(loops_.front()->context(), std::move(closed));
  });
}

}  // namespace weft::detail
