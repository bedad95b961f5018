#pragma once

#include <weft/async/detail/wait_for.hpp>
#include <weft/async/stream/stage.hpp>

#include <exception>   // for std::exception_ptr, std::current_exception
#include <functional>  // for std::invoke
#include <mutex>       // for std::mutex
#include <optional>    // for std::optional
#include <utility>     // for std::move, std::exchange

namespace weft {

namespace detail {

template <class T, class Body>
struct generator_stream;

/// Where a generator leaves each item for the stream that asked for it.
template <class T>
class rendezvous {
 public:
  task<void> until_asked() {
    auto ready = [this] { return asked_; };
    co_await wait_for(mutex_, waiting_generator_, ready);
  }

  void put(T&& item) {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    item_.emplace(std::move(item));
    asked_ = false;
    wake_all(waiting_stream_, woken);
  }

  void finish(std::exception_ptr error = nullptr) {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    ended_ = true;
    error_ = std::move(error);
    wake_all(waiting_stream_, woken);
  }

  task<std::optional<T>> ask() {
    announce();
    auto ready = [this] { return item_.has_value() || ended_; };
    co_await wait_for(mutex_, waiting_stream_, ready);
    co_return take();
  }

 private:
  void announce() {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    asked_ = true;
    wake_all(waiting_generator_, woken);
  }

  std::optional<T> take() {
    const std::lock_guard lock(mutex_);
    if (!item_ && error_) std::rethrow_exception(error_);
    return std::exchange(item_, std::nullopt);
  }

  std::mutex mutex_;
  std::optional<T> item_;
  bool asked_ = false;
  bool ended_ = false;
  std::exception_ptr error_;
  wait_list waiting_generator_;
  wait_list waiting_stream_;
};

}  // namespace detail

/// What a generator coroutine gives its items to; see from_generator().
///
/// Thread safety: belongs to its coroutine.
template <class T>
class emitter {
 public:
  emitter(const emitter&) = delete;
  emitter& operator=(const emitter&) = delete;

  /// Gives out an item and waits until the stream asks for the next one: co_yield, for a coroutine that also
  /// awaits.
  ///
  /// Cancellation: throws `cancelled` when the pipeline ends before it asks again; let it pass.
  task<void> emit(T item) {
    place_->put(std::move(item));
    co_await place_->until_asked();
  }

 private:
  template <class, class>
  friend struct detail::generator_stream;
  explicit emitter(detail::rendezvous<T>& place) noexcept : place_(&place) {}
  detail::rendezvous<T>* place_;
};

namespace detail {

template <class T, class Body>
struct generator_stream : stream_base {
  using value_type = T;
  static constexpr bool background = true;

  Body body;

  explicit generator_stream(Body work) : stream_base{"from generator"}, body(std::move(work)) {}

  class running {
   public:
    running(generator_stream&& description, const opening& open)
        : body_(std::move(description.body)), out_(place_), meter_(open.stage(description.name)) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void start(nursery& children) {
      children.spawn([this] { return generate(); });
    }

    task<std::optional<value_type>> next() {
      meter_.home().lap();
      std::optional<value_type> item = co_await place_.ask();
      if (item) meter_.item_out();
      meter_.worked();
      co_return item;
    }

   private:
    task<void> generate() {
      try {
        co_await place_.until_asked();
        co_await std::invoke(body_, out_);
        place_.finish();
      } catch (...) {
        place_.finish(meter_.failure());
      }
    }

    Body body_;
    rendezvous<T> place_;
    emitter<T> out_;
    stage_meter meter_;
  };
};

}  // namespace detail

/// A stream of what a coroutine emits:
///
///     from_generator<page>([&](emitter<page>& out) -> task<> {
///       for (cursor at = first; at; at = co_await fetch_next(at)) co_await out.emit(at.page());
///     })
///
/// The body is called when the first item is asked for, and goes on from an emit() when the next one is. When
/// the pipeline ends early its emit() throws `cancelled`, so that its cleanup runs. A generator that awaits
/// nothing can as well be a range; see from().
template <class T, class Body>
auto from_generator(Body body) {
  return detail::generator_stream<T, Body>(std::move(body));
}

}  // namespace weft
