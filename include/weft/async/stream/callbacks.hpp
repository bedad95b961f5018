#pragma once

#include <weft/async/queue.hpp>
#include <weft/async/stream/stage.hpp>
#include <weft/core/error.hpp>

#include <cstddef>      // for std::size_t
#include <exception>    // for std::exception_ptr
#include <functional>   // for std::invoke
#include <memory>       // for std::shared_ptr
#include <mutex>        // for std::mutex
#include <optional>     // for std::optional
#include <type_traits>  // for std::invoke_result_t
#include <utility>      // for std::move
#include <variant>      // for std::monostate

namespace weft {

namespace detail {

template <class T>
struct callback_state {
  explicit callback_state(std::size_t capacity) : items(capacity) {}

  queue<T> items;
  std::mutex mutex;
  std::exception_ptr error;
};

template <class T, class Subscribe>
struct callback_stream;

}  // namespace detail

/// What a callback hands its items to; see from_callbacks(). A handle: copies are the same target.
///
/// Thread safety: distinct and shared objects safe; may be used by any thread, also after the pipeline has
/// ended.
template <class T>
class callback_target {
 public:
  /// Hands over an item. False, and the item is dropped, if the buffer is full or nobody wants items any
  /// more.
  bool push(T item) const {
    try {
      return state_->items.try_push(item);
    } catch (const queue_closed&) {
      return false;
    }
  }

  /// Hands over an item; blocks the calling thread while the buffer is full. False if nobody wants items any
  /// more. Never call it on a thread that runs the pipeline's event loop.
  bool push_wait(T item) const {
    try {
      state_->items.push_wait(std::move(item));
      return true;
    } catch (const queue_closed&) {
      return false;
    }
  }

  /// Ends the stream, after the items that are in the buffer.
  void close() const { state_->items.close(); }

  /// Ends the stream with an error, after the items that are in the buffer.
  void fail(std::exception_ptr error) const {
    {
      const std::lock_guard lock(state_->mutex);
      if (!state_->error) state_->error = std::move(error);
    }
    state_->items.close();
  }

 private:
  template <class, class>
  friend struct detail::callback_stream;
  explicit callback_target(std::shared_ptr<detail::callback_state<T>> state) : state_(std::move(state)) {}
  std::shared_ptr<detail::callback_state<T>> state_;
};

namespace detail {

template <class T, class Subscribe>
struct callback_stream : stream_base {
  using value_type = T;
  static constexpr bool background = false;

  std::size_t capacity;
  Subscribe subscribe;

  callback_stream(std::size_t buffer, Subscribe start)
      : stream_base{"from callbacks"}, capacity(buffer), subscribe(std::move(start)) {}

  class running {
    using returned = std::invoke_result_t<Subscribe&, callback_target<T>>;
    using subscription = std::conditional_t<std::is_void_v<returned>, std::monostate, returned>;

   public:
    running(callback_stream&& description, const opening& open)
        : state_(std::make_shared<callback_state<T>>(description.capacity)),
          subscribe_(std::move(description.subscribe)),
          meter_(open.stage(description.name)) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;
    // First the queue, for a callback may be blocked by it and ending the subscription may wait for the
    // callback.
    ~running() { state_->items.close_and_discard(); }

    void start(nursery&) noexcept {}

    task<std::optional<value_type>> next() {
      std::optional<value_type> item;
      try {
        if (!subscription_) begin();
        item = co_await state_->items.pop();
        if (!item) rethrow_failure();
      } catch (...) {
        meter_.fail();
      }
      if (item) meter_.item_out();
      meter_.waited_for_input();
      co_return item;
    }

   private:
    void begin() {
      if constexpr (std::is_void_v<returned>) {
        std::invoke(subscribe_, callback_target<T>(state_));
        subscription_.emplace();
      } else {
        subscription_.emplace(std::invoke(subscribe_, callback_target<T>(state_)));
      }
    }

    void rethrow_failure() {
      const std::lock_guard lock(state_->mutex);
      if (state_->error) std::rethrow_exception(state_->error);
    }

    std::shared_ptr<callback_state<T>> state_;
    Subscribe subscribe_;
    stage_meter meter_;
    std::optional<subscription> subscription_;
  };
};

}  // namespace detail

/// A stream of what callbacks push from outside, from any thread: a feed's handler, a signal, a library's
/// thread.
///
///     from_callbacks<quote>(1024, [&](callback_target<quote> out) {
///       return feed.subscribe([out](const quote& q) { out.push(q); });
///     })
///
/// `subscribe(target)` is called when the first item is asked for; what it returns is kept and destroyed when
/// the pipeline ends, so let it be what ends the subscription. Up to `capacity` items wait in between; push()
/// drops what is beyond, push_wait() blocks the caller. Throws invalid_argument if capacity is 0.
template <class T, class Subscribe>
auto from_callbacks(std::size_t capacity, Subscribe subscribe) {
  if (capacity == 0) throw invalid_argument("from_callbacks: the capacity is 0, it must be at least 1");
  return detail::callback_stream<T, Subscribe>(capacity, std::move(subscribe));
}

}  // namespace weft
