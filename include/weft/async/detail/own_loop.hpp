#pragma once

#include <weft/async/detail/spin.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>   // for std::atomic
#include <utility>  // for std::exchange

namespace weft::detail {

/// An event loop that run() made, which the calling thread runs. It ends only when nobody is inside a call
/// that wakes one of its coroutines.
class own_loop {
 public:
  /// The calling thread's, or null.
  static own_loop* current() noexcept { return current_; }

  explicit own_loop(boost::asio::io_context& context) noexcept
      : context_(&context), outer_(std::exchange(current_, this)) {}
  own_loop(const own_loop&) = delete;
  own_loop& operator=(const own_loop&) = delete;
  ~own_loop() {
    current_ = outer_;
    spin_until([this] { return wakers_.load(std::memory_order_acquire) == 0; });
  }

  bool runs(const boost::asio::any_io_executor& executor) const noexcept {
    const auto* direct = executor.target<boost::asio::io_context::executor_type>();
    return direct != nullptr && &direct->context() == context_;
  }

  // Entered while a coroutine of the loop waits, so before the loop can end. The release pairs with the
  // destructor's acquire: what the waker did to the loop comes before the loop's end.
  void enter() noexcept { wakers_.fetch_add(1, std::memory_order_relaxed); }
  void leave() noexcept { wakers_.fetch_sub(1, std::memory_order_release); }

 private:
  static constinit thread_local own_loop* current_;
  boost::asio::io_context* context_;
  own_loop* outer_;
  std::atomic<int> wakers_{0};
};

}  // namespace weft::detail
