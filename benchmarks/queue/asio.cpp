#include "coroutines.hpp"
#include "workload.hpp"

#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace {

using namespace queue_benchmark;
namespace asio = boost::asio;

template <template <class...> class Channel, class T>
struct asio_channel {
  asio_channel(asio::io_context& loop, std::size_t capacity) : items(loop, capacity) {}
  asio::awaitable<void> send(T value) {
    return items.async_send(boost::system::error_code(), std::move(value), asio::use_awaitable);
  }
  asio::awaitable<T> receive() { return items.async_receive(asio::use_awaitable); }
  Channel<void(boost::system::error_code, T)> items;
};

template <template <class...> class Channel, class T>
auto make_channel = [](asio::io_context& loop, std::size_t capacity) {
  return std::make_unique<asio_channel<Channel, T>>(loop, capacity);
};

template <template <class...> class Channel>
std::int64_t pass(const workload& work) {
  return pass_between_coroutines(work, make_channel<Channel, int>);
}

const bool registered = [] {
  for (const auto& [name, work] : cases()) {
    if (work.threads == 1) add_case(name, "asio_channel", work, pass<asio::experimental::channel>);
    add_case(name, "asio_concurrent_channel", work, pass<asio::experimental::concurrent_channel>);
  }
  add_batch_case("asio_concurrent_channel", make_channel<asio::experimental::concurrent_channel, payload>);
  add_ping_pong_case("asio_concurrent_channel", make_channel<asio::experimental::concurrent_channel, int>);
  return true;
}();

}  // namespace
