#include <weft/async/detail/own_loop.hpp>
#include <weft/async/run.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>  // for std::exception_ptr

#include "async/event_loop.hpp"

namespace weft::detail {

constinit thread_local own_loop* own_loop::current_ = nullptr;

void run_loop(task<void> main) {
  boost::asio::io_context loop(1);
  boost::asio::make_service<single_thread_mark>(loop);
  const own_loop here(loop);
  std::exception_ptr failure;
  boost::asio::co_spawn(loop, std::move(main), [&](std::exception_ptr error) { failure = std::move(error); });
  loop.run();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace weft::detail
