#pragma once

#include <weft/async/detail/own_loop.hpp>
#include <weft/async/detail/resume_buffer.hpp>
#include <weft/async/detail/spin.hpp>
#include <weft/observe/span.hpp>
#include <weft/observe/trace.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <atomic>              // for std::atomic
#include <chrono>              // for std::chrono::time_point
#include <condition_variable>  // for std::condition_variable
#include <cstddef>             // for std::byte, std::size_t, std::max_align_t
#include <cstdint>             // for std::uint8_t
#include <exception>           // for std::exception_ptr
#include <memory>              // for std::construct_at, std::destroy_at
#include <mutex>               // for std::mutex
#include <new>                 // for operator new, std::launder
#include <type_traits>         // for std::decay_t
#include <utility>             // for std::move, std::exchange

namespace weft::detail {

/// Why a waiter was woken.
enum class wake_reason : std::uint8_t { pending, ready, closed, cancelled };

/// Someone who waits on a primitive. It lives in the frame or on the stack of who waits and is linked into
/// the primitive's wait_list under the primitive's mutex. Whoever unlinks it sets reason() and then calls
/// wake() exactly once, after releasing the mutex.
class waiter {
 public:
  waiter() = default;
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;

  /// Hands control back to who waits. The waiter may be gone when this returns.
  virtual void wake() noexcept = 0;

  wake_reason reason() const noexcept { return reason_; }
  void set_reason(wake_reason why) noexcept { reason_ = why; }
  bool linked() const noexcept { return linked_; }

  /// In a trace, the arrow from who woke it to what it does now; call it inside a span.
  void trace_arrival() const noexcept { trace::flow_in("wakes", flow_); }

  /// Where the primitive puts, or finds, what it moves on behalf of who waits; unused by most.
  void* place = nullptr;
  /// Set, before waking, if moving through `place` threw.
  std::exception_ptr failure;

 protected:
  ~waiter() = default;

 private:
  friend class wait_list;
  friend class wake_chain;
  friend class own_loop;
  waiter* next_ = nullptr;
  waiter* previous_ = nullptr;
  std::uint64_t flow_ = 0;
  wake_reason reason_ = wake_reason::pending;
  bool linked_ = false;
};

/// Waiters in the order they came. Guarded by the mutex of the primitive that owns it; size() alone may be
/// read from anywhere.
class wait_list {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  waiter* front() const noexcept { return first_; }

  void push_back(waiter& item) noexcept {
    item.next_ = nullptr;
    item.previous_ = last_;
    item.linked_ = true;
    (last_ != nullptr ? last_->next_ : first_) = &item;
    last_ = &item;
    resize(1);
  }

  void remove(waiter& item) noexcept {
    (item.previous_ != nullptr ? item.previous_->next_ : first_) = item.next_;
    (item.next_ != nullptr ? item.next_->previous_ : last_) = item.previous_;
    item.linked_ = false;
    resize(static_cast<std::size_t>(-1));
  }

 private:
  // Only the holder of the primitive's mutex writes: a load and a store suffice.
  void resize(std::size_t change) noexcept {
    size_.store(size_.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
  }

  waiter* first_ = nullptr;
  waiter* last_ = nullptr;
  std::atomic<std::size_t> size_{0};
};

/// Waiters that have been unlinked and are to be woken once the mutex is released; the destructor wakes them.
class wake_chain {
 public:
  wake_chain() = default;
  wake_chain(const wake_chain&) = delete;
  wake_chain& operator=(const wake_chain&) = delete;
  ~wake_chain() {
    while (first_ != nullptr) std::exchange(first_, first_->next_)->wake();
  }

  void add(waiter& item, wake_reason why) noexcept {
    item.reason_ = why;
    item.flow_ = trace::flow_out("wakes");
    item.next_ = nullptr;
    (last_ != nullptr ? last_->next_ : first_) = &item;
    last_ = &item;
  }

 private:
  waiter* first_ = nullptr;
  waiter* last_ = nullptr;
};

/// A plain thread that blocks until it is woken.
class thread_waiter : public waiter {
 public:
  void wake() noexcept override {
    // Notified under the lock: the woken thread destroys this object as soon as it can take it.
    const std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_one();
  }

  void block() {
    const span blocked("thread waits");
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return woken_; });
    trace_arrival();
  }

  /// False if the deadline passed first; the waiter is then still linked unless somebody is about to wake it.
  template <class Clock, class Duration>
  bool block_until(const std::chrono::time_point<Clock, Duration>& deadline) {
    const span blocked("thread waits");
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, deadline, [this] { return woken_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
};

/// Someone who waits and goes on in a function posted to an executor. Waking it allocates nothing on an
/// io_context or a thread pool.
class posted_waiter : public waiter {
 public:
  void wake() noexcept override {
    own_loop* const loop = loop_;  // once it is posted this object may be gone
    if (loop == nullptr) {
      post();
      posted_.store(true, std::memory_order_release);
    } else if (loop == own_loop::current()) {
      post();
    } else {
      loop->deliver(*this);
    }
  }

 protected:
  posted_waiter() = default;
  ~posted_waiter() = default;

  /// Before it is linked, on the thread that will go on: it is known which loop that is, and that the loop
  /// outlives whoever wakes this.
  void belongs_to(own_loop* loop) noexcept { loop_ = loop; }

  /// Calls post_to() with the executor on which go_on() is to run.
  virtual void post() = 0;
  /// Runs on the executor; may destroy the waiter.
  virtual void go_on() = 0;

  template <class Executor>
  void post_to(const Executor& executor) {
    namespace asio = boost::asio;
    if constexpr (std::is_same_v<Executor, asio::any_io_executor>) {
      // The erased executor would allocate twice; the usual one behind it takes our allocator.
      using direct = asio::io_context::executor_type;
      if (const auto* context = executor.template target<direct>()) return post_to(*context);
      asio::prefer(asio::require(executor, asio::execution::blocking.never),
                   asio::execution::relationship.fork)
          .execute(resumption{this});
    } else {
      asio::prefer(asio::require(executor, asio::execution::blocking.never),
                   asio::execution::allocator(resume_allocator<void>(buffer_)))
          .execute(resumption{this});
    }
  }

 private:
  friend class own_loop;

  struct resumption {
    posted_waiter* self;
    void operator()() const {
      // What goes on may end its event loop and destroy it, which it must not do while the thread that woke
      // it is still inside post(); that thread has only its signal to send. It may have been put aside to run
      // this one, though, and then waiting for it is dear: our own loops wait when they end.
      if (self->loop_ == nullptr) {
        spin_until([this] { return self->posted_.load(std::memory_order_acquire); });
      }
      self->go_on();
    }
  };

  std::atomic<bool> posted_{false};  // first: it takes no room there
  own_loop* loop_ = nullptr;
  resume_buffer buffer_;
};

/// A coroutine that is suspended until it is woken. It lives in the coroutine's frame and holds the
/// coroutine's handler, so waiting allocates nothing; it is woken by a post to the coroutine's own executor.
class coroutine_waiter final : public posted_waiter {
 public:
  coroutine_waiter() = default;

  /// Suspends the awaiting coroutine.
  ///
  /// @param enlist `bool()`: under the primitive's mutex, either links this waiter and returns true, or finds
  ///        that there is nothing to wait for, sets the reason and returns false
  /// @param cancel `void()`: run on the coroutine's executor when its cancellation slot fires: under the
  ///        primitive's mutex, if the waiter is still linked, unlinks it, sets the reason and wakes it
  ///
  /// Both are kept by reference and must outlive the suspension: name them before the co_await.
  template <class Enlist, class Cancel>
  auto suspend(Enlist& enlist, Cancel& cancel) {
    return boost::asio::async_initiate<const boost::asio::deferred_t, void()>(
        [this, &enlist, &cancel](auto handler) {
          hold(std::move(handler), cancel);
          // Last: once linked, another thread may wake, resume and destroy this waiter.
          if (!enlist()) wake();
        },
        boost::asio::deferred);
  }

 private:
  enum class step : std::uint8_t { post, run };

  template <class Handler, class Cancel>
  void hold(Handler&& handler, Cancel& cancel) {
    using handler_type = std::decay_t<Handler>;
    static_assert(sizeof(handler_type) <= sizeof(handler_) &&
                  alignof(handler_type) <= alignof(std::max_align_t));
    static_assert(std::is_nothrow_move_constructible_v<handler_type>);
    auto& held = *std::construct_at(static_cast<handler_type*>(static_cast<void*>(handler_)),
                                    std::forward<Handler>(handler));
    resume_ = [](coroutine_waiter& self, step what) {
      auto& stored = *std::launder(static_cast<handler_type*>(static_cast<void*>(self.handler_)));
      if (what == step::post) {
        self.post_to(boost::asio::get_associated_executor(stored));
      } else {
        handler_type local(std::move(stored));
        std::destroy_at(&stored);
        local();  // resumes the coroutine, whose frame holds *this
      }
    };
    if (own_loop* const loop = own_loop::current()) {
      if (loop->runs(boost::asio::get_associated_executor(held))) belongs_to(loop);
    }
    auto slot = boost::asio::get_associated_cancellation_slot(held);
    if (slot.is_connected()) {
      slot.assign([&cancel](boost::asio::cancellation_type type) {
        if (type != boost::asio::cancellation_type::none) cancel();
      });
    }
  }

  void post() override { resume_(*this, step::post); }

  void go_on() override {
    const span running("coroutine");
    trace_arrival();
    resume_(*this, step::run);
  }

  void (*resume_)(coroutine_waiter&, step) = nullptr;
  alignas(std::max_align_t) std::byte handler_[32];
};

}  // namespace weft::detail
