#pragma once

#include <weft/async/detail/waiter.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>     // for std::atomic
#include <cassert>    // for assert
#include <cstddef>    // for std::size_t
#include <cstdint>    // for std::uint8_t
#include <exception>  // for std::exception_ptr
#include <mutex>      // for std::mutex
#include <optional>   // for std::optional
#include <utility>    // for std::move, std::exchange
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

/// The event loop behind the executor, if one thread alone runs it.
inline const boost::asio::io_context::executor_type* single_thread_loop(
    const boost::asio::any_io_executor& executor) {
  const auto* loop = executor.target<boost::asio::io_context::executor_type>();
  if (loop == nullptr || !boost::asio::has_service<single_thread_mark>(loop->context())) return nullptr;
  return loop;
}

/// Whether the executor is a strand, which never runs two of its functions at once.
inline bool is_strand(const boost::asio::any_io_executor& executor) {
  namespace asio = boost::asio;
  return executor.target<asio::strand<asio::any_io_executor>>() != nullptr ||
         executor.target<asio::strand<asio::io_context::executor_type>>() != nullptr ||
         executor.target<asio::strand<asio::thread_pool::executor_type>>() != nullptr;
}

/// A new strand on the executor: on what it stands for, where that is known, which makes posting cheaper.
inline boost::asio::any_io_executor strand_on(const boost::asio::any_io_executor& executor) {
  namespace asio = boost::asio;
  if (const auto* loop = executor.target<asio::io_context::executor_type>()) return asio::make_strand(*loop);
  if (const auto* pool = executor.target<asio::thread_pool::executor_type>()) return asio::make_strand(*pool);
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

/// The bottom of a coroutine stack and what runs it, as inside co_spawn(). co_spawn() itself would cost each
/// child a second cancellation signal, two work guards and two dispatches, none of which a child needs that
/// its parent outlives.
using coroutine_root = boost::asio::awaitable<boost::asio::detail::awaitable_thread_entry_point>;
using coroutine_thread = boost::asio::detail::awaitable_thread<boost::asio::any_io_executor>;

/// The coroutines that one coroutine has started and must outlive. The first that fails cancels the others.
///
/// Each child runs on an executor that never runs two functions at once, for a cancellation signal may not
/// fire while its coroutine runs: the parent's own executor if that is one, else a strand per child, so that
/// children run in parallel. There its cancellation is delivered and its end reported; the bookkeeping here
/// is under a mutex. All members may be called from any thread while a child is left.
class nursery {
 public:
  /// @param executor where the children run; @param limit how many limited ones run at a time, 0: any number
  explicit nursery(boost::asio::any_io_executor executor, std::size_t limit = 0)
      : executor_(std::move(executor)),
        loop_(single_thread_loop(executor_)),
        serial_(loop_ != nullptr || is_strand(executor_)),
        limit_(limit) {}
  nursery(const nursery&) = delete;
  nursery& operator=(const nursery&) = delete;
  ~nursery() { assert(count() == 0); }

  /// What the limit has to do with a child: nothing; it must wait for a place; it has one already.
  enum class admission : std::uint8_t { unlimited, limited, admitted };

  /// Starts `task<void> work()` as a child and keeps `work` until the child has finished. Queues it while the
  /// limit is reached. Once the nursery is cancelled, destroys it unstarted.
  ///
  /// Where the children run one at a time, and called from there, the child runs up to its first wait before
  /// this returns; otherwise it is posted.
  template <class Work>
  void spawn(Work work, admission how = admission::unlimited) {
    if (limit_ == 0) how = admission::unlimited;
    if (cancelled()) return drop(how);
    child* record = nullptr;
    coroutine_root root =
        live<Work>(child(*this, how != admission::unlimited, record), std::optional<Work>(std::move(work)));
    if (how == admission::limited) {
      const std::lock_guard lock(mutex_);
      if (!cancelled() && running_ >= limit_) {
        enqueue(std::move(root), *record);
        return;
      }
      ++running_;
    }
    start(std::move(root), *record, serial_ ? launch::here_if_possible : launch::posted);
  }

  /// True with a place within the limit, for a child that is then spawned as `admitted`.
  bool try_place() {
    const std::lock_guard lock(mutex_);
    return try_place_locked();
  }

  /// True if `self` now waits for a place; false with one.
  bool enlist_for_place(waiter& self) {
    const std::lock_guard lock(mutex_);
    if (try_place_locked()) {
      self.set_reason(wake_reason::ready);
      return false;
    }
    place_waiters_.push_back(self);
    return true;
  }

  void withdraw_from_place(waiter& self) {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (!self.linked()) return;
    place_waiters_.remove(self);
    woken.add(self, wake_reason::cancelled);
  }

  /// Asks every child to stop; idempotent.
  void cancel() {
    dropped_children dropped;  // destroyed once the mutex is free
    const std::lock_guard lock(mutex_);
    cancel_locked(dropped);
  }

  /// Records an error as if a child had failed with it.
  void fail(std::exception_ptr error) {
    dropped_children dropped;
    const std::lock_guard lock(mutex_);
    errors_.push_back(std::move(error));
    cancel_locked(dropped);
  }

  /// How many children have not finished.
  std::size_t count() const noexcept { return count_.load(std::memory_order_relaxed); }

  /// Whether the children have been asked to stop.
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }

  /// Whether a child ended because it was asked to stop, or was not started; once all have finished.
  bool interrupted() const noexcept { return interrupted_; }

  /// What the children failed with, first one first; once all have finished.
  std::vector<std::exception_ptr>& errors() noexcept { return errors_; }

  /// Whether all children have finished: what they wrote is then visible, and none uses the nursery any more.
  bool finished() {
    const std::lock_guard lock(mutex_);
    return count() == 0;
  }

  /// True if `self` now waits until all children have finished; false if they have.
  bool enlist_for_all(waiter& self) {
    const std::lock_guard lock(mutex_);
    if (count() == 0) return false;
    waits_for_all_ = &self;
    return true;
  }

  /// Whether all children but one, which asks, have finished.
  bool others_finished() {
    const std::lock_guard lock(mutex_);
    return count() == 1;
  }

  /// True if `self`, a child's, now waits until all others have finished; false if they have.
  bool enlist_for_others(waiter& self) {
    const std::lock_guard lock(mutex_);
    if (count() == 1) {
      self.set_reason(wake_reason::ready);
      return false;
    }
    waits_for_others_ = &self;
    return true;
  }

  void withdraw_from_others(waiter& self) {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    if (waits_for_others_ != &self) return;
    waits_for_others_ = nullptr;
    woken.add(self, wake_reason::cancelled);
  }

 private:
  struct child;

  /// A cancellation on its way to a child, which takes its address out when it ends first. Only used on the
  /// child's executor, but for being sent.
  struct notice {
    child* addressee;
  };

  /// What the nursery keeps of a child. It lives in the child's coroutine frame, as a parameter of live(), so
  /// that a child costs no further memory block.
  struct child {
    /// @param record will point to the parameter once live() has been called
    child(nursery& parent, bool counts, child*& record) noexcept
        : owner(parent), address(&record), limited(counts) {}
    child(child&& from) noexcept : owner(from.owner), address(from.address), limited(from.limited) {
      *address = this;
    }
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    child& operator=(child&&) = delete;
    ~child() = default;

    const boost::asio::any_io_executor& executor() const noexcept {
      return strand ? *strand : owner.executor_;
    }

    nursery& owner;
    child** address;
    child* next = nullptr;
    child* previous = nullptr;
    notice* sent = nullptr;
    coroutine_root root;                                   // its own frame, while it is queued
    std::unique_ptr<boost::asio::any_io_executor> strand;  // null: it runs on the nursery's executor
    boost::asio::cancellation_signal signal;
    bool limited;              // takes one of the places that the limit counts
    bool queued = false;       // counted, though it has not been started
    bool interrupted = false;  // not started, or ended because it was asked to stop
  };

  /// Queued children that will not be started.
  struct dropped_children {
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

  enum class launch : std::uint8_t { here_if_possible, posted };

  /// A child's whole life.
  template <class Work>
  static coroutine_root live(child self, std::optional<Work> work) {
    nursery& owner = self.owner;
    if (owner.cancelled()) {
      self.interrupted = true;
    } else {
      std::exception_ptr error;
      try {
        task<void> running = (*work)();
        co_await std::move(running);
      } catch (...) {
        error = std::current_exception();
      }
      if (error) owner.failed(self, std::move(error));
    }
    // Before the child counts as finished: what it refers to may go as soon as it does.
    work.reset();
    owner.leave(self);
  }

  void start(coroutine_root root, child& item, launch where) {
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
    if (where == launch::here_if_possible && loop_ != nullptr && loop_->running_in_this_thread()) {
      thread.launch();
    } else if (where == launch::here_if_possible) {
      asio::dispatch(item.executor(), [held = std::move(thread)]() mutable { held.launch(); });
    } else {
      asio::post(item.executor(), [held = std::move(thread)]() mutable { held.launch(); });
    }
  }

  void failed(child& item, std::exception_ptr error) {
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

  /// The child has finished. The nursery may be gone when this returns.
  void leave(child& item) {
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

  void drop(admission how) {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    interrupted_ = true;
    if (how == admission::admitted) give_place(woken);  // to a waiter: cancel() has emptied the queue
  }

  // ---- under the mutex

  bool try_place_locked() noexcept {
    if (limit_ == 0) return true;
    if (running_ >= limit_) return false;
    ++running_;
    return true;
  }

  void enqueue(coroutine_root root, child& item) noexcept {
    (queue_last_ != nullptr ? queue_last_->next : queue_first_) = &item;
    queue_last_ = &item;
    item.root = std::move(root);
    item.queued = true;
    add_to_count(1);
  }

  void link(child& item) noexcept {
    const bool was_queued = std::exchange(item.queued, false);
    item.next = children_;
    if (children_ != nullptr) children_->previous = &item;
    children_ = &item;
    if (!was_queued) add_to_count(1);
  }

  void unlink(child& item) noexcept {
    (item.previous != nullptr ? item.previous->next : children_) = item.next;
    if (item.next != nullptr) item.next->previous = item.previous;
    add_to_count(static_cast<std::size_t>(-1));
  }

  // Written under the mutex only: a load and a store suffice.
  void add_to_count(std::size_t change) noexcept {
    count_.store(count_.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
  }

  /// Passes on a place that has come free; returns the queued child that got it, if one did.
  child* give_place(wake_chain& woken) noexcept {
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

  void wake_joiners(wake_chain& woken) noexcept {
    if (count() == 0 && waits_for_all_ != nullptr) {
      woken.add(*std::exchange(waits_for_all_, nullptr), wake_reason::ready);
    }
    if (count() == 1 && waits_for_others_ != nullptr) {
      woken.add(*std::exchange(waits_for_others_, nullptr), wake_reason::ready);
    }
  }

  void cancel_locked(dropped_children& dropped) {
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

  const boost::asio::any_io_executor executor_;
  const boost::asio::io_context::executor_type* const loop_;  // in executor_, if one thread runs it
  const bool serial_;
  const std::size_t limit_;
  std::mutex mutex_;
  child* children_ = nullptr;     // started and not finished
  child* queue_first_ = nullptr;  // waiting for a place, linked by `next`
  child* queue_last_ = nullptr;
  std::size_t running_ = 0;  // places taken, if there is a limit
  wait_list place_waiters_;
  waiter* waits_for_all_ = nullptr;
  waiter* waits_for_others_ = nullptr;
  std::atomic<std::size_t> count_{0};
  std::atomic<bool> cancelled_{false};
  bool interrupted_ = false;
  std::vector<std::exception_ptr> errors_;
};

/// How a supervised set of children ended, other than by an error.
struct supervised {
  bool asked_to_stop = false;  ///< the awaiting coroutine was cancelled
  bool interrupted = false;    ///< a child was not started, or ended because it was asked to stop
};

/// Lets `start(nursery&)` spawn children, waits for all of them, and throws the first error. Children are
/// asked to stop when one fails or when the awaiting coroutine is cancelled, and are always waited for.
///
/// @param errors receives all errors, the first one first, if it is not null
template <class Start>
task<supervised> supervise(Start& start, std::size_t limit = 0,
                           std::vector<std::exception_ptr>* errors = nullptr) {
  namespace this_coro = boost::asio::this_coro;
  nursery children(co_await this_coro::executor, limit);
  const bool throws = co_await this_coro::throw_if_cancelled();
  // From here to the end of the join nothing may throw past the children.
  co_await this_coro::throw_if_cancelled(false);
  try {
    start(children);
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
