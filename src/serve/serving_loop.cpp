#include <serve/serving_loop.hpp>

#include <boost/asio/post.hpp>

#include <utility>  // for std::move

namespace weft::detail {

namespace asio = boost::asio;

serving_loop::serving_loop(server_core& core, std::chrono::milliseconds tick) : core_(core), tick_(tick) {
  asio::post(context_, [this] { this->tick(); });
  thread_ = std::jthread([this] { context_.run(); });
}

serving_loop::~serving_loop() {
  halt();
}

void serving_loop::halt() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

void serving_loop::serve(asio::ip::tcp::socket socket) {
  asio::post(context_, [this, socket = std::move(socket)]() mutable {
    make_connection(std::move(socket), core_, connections_)->start();
  });
}

void serving_loop::abort() {
  asio::post(context_, [this] { connections_.abort(); });
}

void serving_loop::tick() {
  connections_.tick(connection_clock::now());
  timer_.expires_after(tick_);
  timer_.async_wait([this](boost::system::error_code problem) {
    if (!problem) tick();
  });
}

}  // namespace weft::detail
