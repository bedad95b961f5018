#include <weft/async/detail/nursery.hpp>

#include <weft/observe/span.hpp>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/system/system_error.hpp>

#include "async/event_loop.hpp"

namespace weft::detail {
namespace {

using coroutine_thread = boost::asio::detail::awaitable_thread<boost::asio::any_io_executor>;

// Whether the executor is an event loop that one thread alone runs.
bool runs_on_one_thread(const boost::asio::any_io_executor& executor) {
  const auto* loop = executor.target<boost::asio::io_context::executor_type>();
  return loop != nullptr && boost::asio::has_service<single_thread_mark>(loop->context());
}

// Whether the executor is a strand, which never runs two of its functions at once.
bool is_strand(const boost::asio::any_io_executor& executor) {
  namespace asio = boost::asio;
  return executor.target<asio::strand<asio::any_io_executor>>() != nullptr ||
         executor.target<asio::strand<asio::io_context::executor_type>>() != nullptr ||
         executor.target<asio::strand<asio::thread_pool::executor_type>>() != nullptr;
}

// A new strand on the executor: on what it stands for, where that is known, which makes posting cheaper.
boost::asio::any_io_executor strand_on(const boost::asio::any_io_executor& executor) {
  namespace asio = boost::asio;
  if (const auto* loop = executor.target<asio::io_context::executor_type>()) return asio::make_strand(*loop);
  if (const auto* pool = executor.target<asio::thread_pool::executor_type>()) return asio::make_strand(*pool);
  return asio::make_strand(executor);
}

}  // namespace

bool is_cancellation(const std::exception_ptr& error) {
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

/// Queued children that will not be started.
struct nursery::dropped_children {
  dropped_children() = default;
  dropped_children(const dropped_children&) = delete;
  dropped_children& operator=(const dropped_children&) = delete;
  ~dropped_children() {
    while (first != nullptr) {
      child& item = *std::exchange(first, first->next);
      const coroutine_root gone(std::move(item.root));
    }
  }
  child* first = nullptr;
};

nursery::nursery(boost::asio::any_io_executor executor, std::size_t limit)
    : executor_(std::move(executor)),
      single_thread_(runs_on_one_thread(executor_)),
      serial_(single_thread_ || is_strand(executor_)),
      limit_(limit) {}

bool nursery::try_place() {
  const std::lock_guard lock(mutex_);
  return try_place_locked();
}

bool nursery::enlist_for_place(waiter& self) {
  const std::lock_guard lock(mutex_);
  if (try_place_locked()) {
    self.set_reason(wake_reason::ready);
    return false;
  }
  place_waiters_.push_back(self);
  return true;
}

void nursery::withdraw_from_place(waiter& self) {
  wake_chain woken;
  const std::lock_guard lock(mutex_);
  if (!self.linked()) return;
  place_waiters_.remove(self);
  woken.add(self, wake_reason::cancelled);
}

void nursery::cancel() {
  dropped_children dropped;  // destroyed once the mutex is free
  const std::lock_guard lock(mutex_);
  cancel_locked(dropped);
}

void nursery::fail(std::exception_ptr error) {
  dropped_children dropped;
  const std::lock_guard lock(mutex_);
  errors_.push_back(std::move(error));
  cancel_locked(dropped);
}

bool nursery::finished() {
  const std::lock_guard lock(mutex_);
  return count() == 0;
}

bool nursery::enlist_for_all(waiter& self) {
  const std::lock_guard lock(mutex_);
  if (count() == 0) return false;
  waits_for_all_ = &self;
  return true;
}

bool nursery::others_finished() {
  const std::lock_guard lock(mutex_);
  return count() == 1;
}

bool nursery::enlist_for_others(waiter& self) {
  const std::lock_guard lock(mutex_);
  if (count() == 1) {
    self.set_reason(wake_reason::ready);
    return false;
  }
  waits_for_others_ = &self;
  return true;
}

void nursery::withdraw_from_others(waiter& self) {
  wake_chain woken;
  const std::lock_guard lock(mutex_);
  if (waits_for_others_ != &self) return;
  waits_for_others_ = nullptr;
  woken.add(self, wake_reason::cancelled);
}

void nursery::start(coroutine_root root, child& item, launch where) {
  namespace asio = boost::asio;
  if (!serial_) item.strand = std::make_unique<asio::any_io_executor>(strand_on(executor_));
  // The signal is connected before cancel() can see the child. If the nursery is cancelled before the child
  // runs, live() notices.
  coroutine_thread thread(std::move(root), item.executor(), item.signal.slot(),
                          asio::cancellation_state(item.signal.slot()));
  {
    const std::lock_guard lock(mutex_);
    link(item);
  }
  if (where == launch::here_if_possible && single_thread_ &&
      executor_.target<boost::asio::io_context::executor_type>()->running_in_this_thread()) {
    thread.launch();
  } else if (where == launch::here_if_possible) {
    asio::dispatch(item.executor(), [held = std::move(thread)]() mutable {
      const span running("coroutine");
      held.launch();
    });
  } else {
    asio::post(item.executor(), [held = std::move(thread)]() mutable {
      const span running("coroutine");
      held.launch();
    });
  }
}

void nursery::failed(child& item, std::exception_ptr error) {
  const bool obeyed = is_cancellation(error);
  dropped_children dropped;
  const std::lock_guard lock(mutex_);
  // A child that was asked to stop and says so has not failed.
  if (obeyed && cancelled()) {
    item.interrupted = true;
  } else {
    errors_.push_back(std::move(error));
    cancel_locked(dropped);
  }
}

void nursery::leave(child& item) {
  child* next = nullptr;
  {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (item.sent != nullptr) item.sent->addressee = nullptr;
    interrupted_ = interrupted_ || item.interrupted;
    unlink(item);
    if (item.limited) next = give_place(woken);
    wake_joiners(woken);
  }
  // A queued child is counted, so the nursery is still there. Posted, or each would run on top of the last.
  if (next != nullptr) start(std::move(next->root), *next, launch::posted);
}

void nursery::drop(admission how) {
  wake_chain woken;
  const std::lock_guard lock(mutex_);
  interrupted_ = true;
  if (how == admission::admitted) give_place(woken);  // to a waiter: cancel() has emptied the queue
}

void nursery::cancel_locked(dropped_children& dropped) {
  if (cancelled()) return;
  cancelled_.store(true, std::memory_order_relaxed);
  // Whoever cancels is, or is outlived by, a running child: dropping the queued ones ends nothing.
  dropped.first = std::exchange(queue_first_, nullptr);
  queue_last_ = nullptr;
  for (child* each = dropped.first; each != nullptr; each = each->next) {
    interrupted_ = true;
    add_to_count(static_cast<std::size_t>(-1));
  }
  for (child* each = children_; each != nullptr; each = each->next) {
    auto message = std::make_unique<notice>(notice{each});
    each->sent = message.get();
    boost::asio::post(each->executor(), [held = std::move(message)] {
      if (child* to = held->addressee) {
        to->sent = nullptr;
        to->signal.emit(boost::asio::cancellation_type::terminal);
      }
    });
  }
}

bool nursery::try_place_locked() noexcept {
  if (limit_ == 0) return true;
  if (running_ >= limit_) return false;
  ++running_;
  return true;
}

void nursery::enqueue(coroutine_root root, child& item) noexcept {
  (queue_last_ != nullptr ? queue_last_->next : queue_first_) = &item;
  queue_last_ = &item;
  item.root = std::move(root);
  item.queued = true;
  add_to_count(1);
}

void nursery::link(child& item) noexcept {
  const bool was_queued = std::exchange(item.queued, false);
  item.next = children_;
  if (children_ != nullptr) children_->previous = &item;
  children_ = &item;
  if (!was_queued) add_to_count(1);
}

void nursery::unlink(child& item) noexcept {
  (item.previous != nullptr ? item.previous->next : children_) = item.next;
  if (item.next != nullptr) item.next->previous = item.previous;
  add_to_count(static_cast<std::size_t>(-1));
}

nursery::child* nursery::give_place(wake_chain& woken) noexcept {
  if (queue_first_ != nullptr) {
    child* next = std::exchange(queue_first_, queue_first_->next);
    if (queue_first_ == nullptr) queue_last_ = nullptr;
    return next;
  }
  if (!place_waiters_.empty()) {
    waiter& next = *place_waiters_.front();
    place_waiters_.remove(next);
    woken.add(next, wake_reason::ready);
  } else {
    --running_;
  }
  return nullptr;
}

void nursery::wake_joiners(wake_chain& woken) noexcept {
  if (count() == 0 && waits_for_all_ != nullptr) {
    woken.add(*std::exchange(waits_for_all_, nullptr), wake_reason::ready);
  }
  if (count() == 1 && waits_for_others_ != nullptr) {
    woken.add(*std::exchange(waits_for_others_, nullptr), wake_reason::ready);
  }
}

task<supervised> supervise_call(void (*start)(void*, nursery&), void* what, std::size_t limit,
                                std::vector<std::exception_ptr>* errors) {
  namespace this_coro = boost::asio::this_coro;
  nursery children(co_await this_coro::executor, limit);
  const bool throws = co_await this_coro::throw_if_cancelled();
  // From here to the end of the join nothing may throw past the children.
  co_await this_coro::throw_if_cancelled(false);
  try {
    start(what, children);
  } catch (...) {
    children.fail(std::current_exception());
  }
  supervised end;
  if (!children.finished()) {
    const boost::asio::cancellation_state state = co_await this_coro::cancellation_state;
    if (state.cancelled() != boost::asio::cancellation_type::none) {
      end.asked_to_stop = true;
      children.cancel();
    }
    coroutine_waiter self;
    auto enlist = [&] { return children.enlist_for_all(self); };
    auto cancel = [&] {
      end.asked_to_stop = true;
      children.cancel();
    };
    co_await self.suspend(enlist, cancel);
  }
  co_await this_coro::throw_if_cancelled(throws);
  end.interrupted = children.interrupted();
  if (!children.errors().empty()) {
    const std::exception_ptr first = children.errors().front();
    if (errors != nullptr) *errors = std::move(children.errors());
    std::rethrow_exception(first);
  }
  co_return end;
}

}  // namespace weft::detail
