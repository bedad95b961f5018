#pragma once

#include <weft/async/detail/waiter.hpp>
#include <weft/core/error.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/prefer.hpp>

#include <exception>    // for std::exception_ptr
#include <memory>       // for std::allocator_traits
#include <type_traits>  // for std::decay_t
#include <utility>      // for std::move

namespace weft::detail {

/// An asynchronous operation that ends in a callback. It lives in memory from the callback's allocator, which
/// it gives back before it calls.
///
/// Outcome::report(handler, error, item) makes the call; Outcome::at_close() is the error of a close.
template <class Handler, class Item, class Outcome>
class callback_waiter final : public posted_waiter {
 public:
  static callback_waiter& make(Handler handler, Item item) {
    allocator_type allocator(boost::asio::get_associated_allocator(handler));
    callback_waiter* place = traits::allocate(allocator, 1);
    try {
      traits::construct(allocator, place, std::move(handler), std::move(item));
    } catch (...) {
      traits::deallocate(allocator, place, 1);
      throw;
    }
    return *place;
  }

  callback_waiter(Handler handler, Item given)
      : item(std::move(given)),
        handler_(std::move(handler)),
        // Tracked: the callback's event loop has something to wait for.
        executor_(boost::asio::prefer(boost::asio::get_associated_executor(handler_),
                                      boost::asio::execution::outstanding_work.tracked)) {}

  /// Before the operation is linked: what its cancellation slot does.
  template <class Cancel>
  void on_cancel(Cancel cancel) {
    auto slot = boost::asio::get_associated_cancellation_slot(handler_);
    if (!slot.is_connected()) return;
    slot.assign([cancel](boost::asio::cancellation_type type) {
      if (type != boost::asio::cancellation_type::none) cancel();
    });
  }

  Item item;

 private:
  using executor_type = boost::asio::associated_executor_t<Handler>;
  using tracked_executor = std::decay_t<decltype(boost::asio::prefer(
      std::declval<const executor_type&>(), boost::asio::execution::outstanding_work.tracked))>;
  using allocator_type = typename std::allocator_traits<
      boost::asio::associated_allocator_t<Handler>>::template rebind_alloc<callback_waiter>;
  using traits = std::allocator_traits<allocator_type>;

  void post() override { post_to(executor_); }

  void go_on() override {
    const span running("callback");
    trace_arrival();
    std::exception_ptr error = std::move(failure);
    if (reason() == wake_reason::cancelled) error = std::make_exception_ptr(cancelled());
    if (reason() == wake_reason::closed) error = Outcome::at_close();
    boost::asio::get_associated_cancellation_slot(handler_).clear();
    Handler handler(std::move(handler_));
    Item last(std::move(item));
    const tracked_executor alive(std::move(executor_));
    allocator_type allocator(boost::asio::get_associated_allocator(handler));
    traits::destroy(allocator, this);
    traits::deallocate(allocator, this, 1);
    Outcome::report(handler, std::move(error), last);
  }

  Handler handler_;
  tracked_executor executor_;
};

}  // namespace weft::detail
