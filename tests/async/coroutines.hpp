#pragma once

#include <weft/async/run.hpp>
#include <weft/async/task.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <thread>
#include <utility>

namespace weft_test {

/// Lets every coroutine that is ready run once.
inline weft::task<> yield() {
  co_await boost::asio::post(boost::asio::use_awaitable);
}

/// Lets the others run until the condition holds.
template <class Condition>
weft::task<> until(Condition condition) {
  while (!condition()) co_await yield();
}

/// The same for a plain thread.
template <class Condition>
void wait_until(Condition condition) {
  while (!condition()) std::this_thread::yield();
}

/// Runs `task<> body()` on an event loop of its own.
template <class F>
void in_coroutine(F body) {
  weft::run(body());
}

/// Starts a coroutine on an event loop that the test turns by hand, and can cancel it.
class hand_turned {
 public:
  explicit hand_turned(weft::task<> work) {
    boost::asio::co_spawn(
        loop_, std::move(work),
        boost::asio::bind_cancellation_slot(signal_.slot(), [this](std::exception_ptr error) {
          ended_ = true;
          error_ = std::move(error);
        }));
  }

  /// Runs all that is ready; for work that waits for this test only.
  void turn() {
    loop_.restart();
    while (loop_.poll() != 0) {
    }
  }

  /// Runs `f()` on the loop and nothing after it: what it makes ready stays so until the next turn.
  template <class F>
  void on_loop(F f) {
    boost::asio::post(loop_, std::move(f));
    loop_.restart();
    loop_.poll_one();
  }

  /// Cancels the coroutine: at once if called in on_loop(), else with the next turn.
  void cancel() { signal_.emit(boost::asio::cancellation_type::terminal); }

  bool ended() const { return ended_; }

  /// Whether it has ended with an exception of this type.
  template <class Error>
  bool threw() const {
    if (!ended_ || !error_) return false;
    try {
      std::rethrow_exception(error_);
    } catch (const Error&) {
      return true;
    } catch (...) {
      return false;
    }
  }
  bool succeeded() const { return ended_ && !error_; }

 private:
  boost::asio::io_context loop_{1};
  boost::asio::cancellation_signal signal_;
  bool ended_ = false;
  std::exception_ptr error_;
};

}  // namespace weft_test
