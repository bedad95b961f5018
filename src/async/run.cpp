#include <weft/async/detail/own_loop.hpp>
#include <weft/async/run.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>  // for std::exception_ptr

#include "async/event_loop.hpp"

namespace weft::detail {

void run_loop(task<void> main) {
  boost::asio::io_context loop(1);
  boost::asio::make_service<single_thread_mark>(loop);
  own_loop here(loop);
  std::exception_ptr failure;
  boost::asio::co_spawn(loop, std::move(main), [&](std::exception_ptr error) { failure = std::move(error); });
  here.run();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace weft::detail
