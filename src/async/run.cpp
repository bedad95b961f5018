#include <weft/async/detail/own_loop.hpp>
#include <weft/async/run.hpp>

#include <boost/asio/co_spawn.hpp>

#include <exception>  // for std::exception_ptr

namespace weft::detail {

void run_loop(task<void> main) {
  own_loop loop;
  std::exception_ptr failure;
  boost::asio::co_spawn(loop.context(), std::move(main),
                        [&](std::exception_ptr error) { failure = std::move(error); });
  loop.run();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace weft::detail
