#pragma once

#include <weft/async/detail/waiter.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>

#include <atomic>     // for std::atomic
#include <cassert>    // for assert
#include <cstddef>    // for std::size_t
#include <exception>  // for std::exception_ptr
#include <mutex>      // for std::mutex
#include <utility>    // for std::move
#include <vector>     // for std::vector

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

/// An executor that never runs two of its functions at once, as cancelling a coroutine from outside needs: a
/// cancellation signal may not fire while the coroutine runs.
inline boost::asio::any_io_executor serialized(const boost::asio::any_io_executor& executor) {
  namespace asio = boost::asio;
  using direct = asio::io_context::executor_type;
  if (executor.target<asio::strand<asio::any_io_executor>>() != nullptr) return executor;
  if (executor.target<asio::strand<direct>>() != nullptr) return executor;
  if (const auto* loop = executor.target<direct>()) {
    if (asio::has_service<single_thread_mark>(loop->context())) return executor;
  }
  return asio::make_strand(executor);
}

/// Whether the exception only says that an operation was cancelled, in weft's words or in Asio's.
inline bool is_cancellation(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const cancelled&) {
    return true;
  } catch (const boost::system::system_error& failure) {
    return failure.code() == boost::asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

/// The coroutines that one coroutine has started and must outlive. The first that fails cancels the others.
///
/// Each child runs on its own serialized executor, where its cancellation is delivered and its end reported;
/// the bookkeeping here is under a mutex. spawn() and cancel() may be called from any thread.
class nursery {
 public:
  explicit nursery(const boost::asio::any_io_executor& executor)
      : executor_(executor),
        serial_executor_(serialized(executor)),
        serial_already_(serial_executor_ == executor) {}
  nursery(const nursery&) = delete;
  nursery& operator=(const nursery&) = delete;
  ~nursery() { assert(children_ == nullptr); }

  /// Starts a child; once the nursery is cancelled, drops it unstarted instead.
  void spawn(task<void> work) {
    namespace asio = boost::asio;
    // A strand per child lets children run in parallel where the executor has several threads.
    auto* started =
        new child(*this, serial_already_ ? executor_ : asio::any_io_executor(asio::make_strand(executor_)));
    {
      const std::lock_guard lock(mutex_);
      if (cancelled_) {
        started->release();
        return;
      }
      link(*started);
    }
    asio::co_spawn(started->executor, std::move(work),
                   asio::bind_cancellation_slot(started->signal.slot(), [started](std::exception_ptr error) {
                     started->owner.finished(*started, std::move(error));
                   }));
  }

  /// Asks every child to stop; idempotent.
  void cancel() {
    const std::lock_guard lock(mutex_);
    cancel_locked();
  }

  /// Records an error as if a child had failed with it.
  void fail(std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    errors_.push_back(std::move(error));
    cancel_locked();
  }

  /// How many children have not finished.
  std::size_t size() const noexcept { return count_.load(std::memory_order_relaxed); }

  /// What the children failed with, first one first, once all have finished.
  std::vector<std::exception_ptr>& errors() noexcept { return errors_; }

  /// True if `self` now waits for the last child; false if there is none.
  bool enlist(waiter& self) {
    const std::lock_guard lock(mutex_);
    if (children_ == nullptr) return false;
    joiner_ = &self;
    return true;
  }

 private:
  struct child {
    child(nursery& parent, boost::asio::any_io_executor where) : owner(parent), executor(std::move(where)) {}

    void release() noexcept {
      if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

    nursery& owner;
    boost::asio::any_io_executor executor;
    boost::asio::cancellation_signal signal;
    child* next = nullptr;
    child* previous = nullptr;
    std::atomic<int> references{1};
    bool over = false;  // only used on `executor`
  };

  void link(child& item) noexcept {
    item.next = children_;
    if (children_ != nullptr) children_->previous = &item;
    children_ = &item;
    count_.fetch_add(1, std::memory_order_relaxed);
  }

  void unlink(child& item) noexcept {
    (item.previous != nullptr ? item.previous->next : children_) = item.next;
    if (item.next != nullptr) item.next->previous = item.previous;
    count_.fetch_sub(1, std::memory_order_relaxed);
  }

  void cancel_locked() {
    if (std::exchange(cancelled_, true)) return;
    for (child* each = children_; each != nullptr; each = each->next) {
      each->references.fetch_add(1, std::memory_order_relaxed);
      boost::asio::post(each->executor, [each] {
        if (!each->over) each->signal.emit(boost::asio::cancellation_type::terminal);
        each->release();
      });
    }
  }

  // On the child's executor. The nursery may be gone as soon as its joiner is woken.
  void finished(child& item, std::exception_ptr error) {
    item.over = true;
    {
      wake_chain woken;
      const std::lock_guard lock(mutex_);
      // A child that was asked to stop and says so has not failed.
      if (error && !(cancelled_ && is_cancellation(error))) {
        errors_.push_back(std::move(error));
        cancel_locked();
      }
      unlink(item);
      if (children_ == nullptr && joiner_ != nullptr)
        woken.add(*std::exchange(joiner_, nullptr), wake_reason::ready);
    }
    item.release();
  }

  boost::asio::any_io_executor executor_;
  boost::asio::any_io_executor serial_executor_;
  bool serial_already_;
  std::mutex mutex_;
  child* children_ = nullptr;
  std::atomic<std::size_t> count_{0};
  waiter* joiner_ = nullptr;
  bool cancelled_ = false;
  std::vector<std::exception_ptr> errors_;
};

/// Lets `start(nursery&)` spawn children, waits for all of them, and throws the first error, or `cancelled`
/// if the awaiting coroutine was cancelled. Children are asked to stop when one fails or when the awaiting
/// coroutine is cancelled, and are always waited for.
template <class Start>
task<void> supervise(Start start) {
  namespace this_coro = boost::asio::this_coro;
  nursery children(co_await this_coro::executor);
  const bool throws = co_await this_coro::throw_if_cancelled();
  // From here to the end of the join nothing may throw past the children.
  co_await this_coro::throw_if_cancelled(false);
  try {
    start(children);
  } catch (...) {
    children.fail(std::current_exception());
  }
  const boost::asio::cancellation_state state = co_await this_coro::cancellation_state;
  bool asked_to_stop = state.cancelled() != boost::asio::cancellation_type::none;
  if (asked_to_stop) children.cancel();
  {
    coroutine_waiter self;
    auto enlist = [&] { return children.enlist(self); };
    auto cancel = [&] {
      asked_to_stop = true;
      children.cancel();
    };
    co_await self.suspend(enlist, cancel);
  }
  co_await this_coro::throw_if_cancelled(throws);
  if (!children.errors().empty()) std::rethrow_exception(children.errors().front());
  if (asked_to_stop) throw cancelled();
}

}  // namespace weft::detail
