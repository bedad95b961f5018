#pragma once

#include <weft/async/detail/resume_buffer.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>  // for std::atomic
#include <memory>  // for std::unique_ptr

namespace weft::detail {

class waiter;
class posted_waiter;

/// An event loop that run() made, which the calling thread runs.
///
/// Other threads wake its coroutines through a list without a lock, and a sleeping loop through an eventfd.
/// Posting would wake it under Asio's lock: the loop's thread is often given the waker's processor at once,
/// finds the lock taken and has to wait for the thread that it put aside.
///
/// The loop ends only when nobody is inside deliver().
class own_loop {
 public:
  /// The calling thread's, or null.
  static own_loop* current() noexcept { return current_; }

  own_loop();
  own_loop(const own_loop&) = delete;
  own_loop& operator=(const own_loop&) = delete;
  ~own_loop();

  /// What its coroutines are started on.
  boost::asio::io_context& context() noexcept { return context_; }
  bool runs(const boost::asio::any_io_executor& executor) const noexcept {
    const auto* direct = executor.target<boost::asio::io_context::executor_type>();
    return direct != nullptr && &direct->context() == &context_;
  }

  /// Runs the loop until nothing is left to wait for.
  void run();

  /// Lets someone go on who waits on the loop. For other threads than the loop's; whoever is delivered first
  /// goes on first.
  void deliver(posted_waiter& item) noexcept;

 private:
  class doorbell;

  void announce() noexcept;
  void let_in_soon() noexcept;
  void let_in();
  void sleep();

  static constinit thread_local own_loop* current_;
  resume_buffer entrance_;  // outlives what the context still holds
  boost::asio::io_context context_{1};
  own_loop* outer_;
  std::atomic<int> delivering_{0};
  // The last one delivered, linked to those before it. While there is any, let_in() is about to be called:
  // the first to be delivered has seen to it, or is about to.
  std::atomic<waiter*> delivered_{nullptr};
  std::atomic<bool> asleep_{false};           // the next to announce should ring the doorbell
  std::atomic<bool> entrance_posted_{false};  // let_in() is in the loop's queue
  std::unique_ptr<doorbell> doorbell_;        // made when the loop first sleeps
};

}  // namespace weft::detail
