#pragma once

#include <boost/asio/execution_context.hpp>

namespace weft::detail {

/// Present in an io_context that one thread alone runs, so that its coroutines need no strands.
class single_thread_mark : public boost::asio::execution_context::service {
 public:
  using key_type = single_thread_mark;
  inline static boost::asio::execution_context::id id;
  explicit single_thread_mark(boost::asio::execution_context& context) : service(context) {}

 private:
  void shutdown() noexcept override {}
};

}  // namespace weft::detail
