#pragma once

#include <weft/async/detail/waiter.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <atomic>     // for std::atomic
#include <cassert>    // for assert
#include <cstddef>    // for std::size_t
#include <cstdint>    // for std::uint8_t
#include <exception>  // for std::exception_ptr
#include <memory>     // for std::unique_ptr
#include <mutex>      // for std::mutex
#include <optional>   // for std::optional
#include <utility>    // for std::move, std::exchange
#include <vector>     // for std::vector

namespace weft::detail {

/// Whether the exception only says that an operation was cancelled, in weft's words or in Asio's.
bool is_cancellation(const std::exception_ptr& error);

/// The bottom of a coroutine stack, as inside co_spawn(). co_spawn() itself would cost each child a second
/// cancellation signal, two work guards and two dispatches, none of which a child needs that its parent
/// outlives.
using coroutine_root = boost::asio::awaitable<boost::asio::detail::awaitable_thread_entry_point>;

/// The coroutines that one coroutine has started and must outlive. The first that fails cancels the others.
///
/// Each child runs on an executor that never runs two functions at once, for a cancellation signal may not
/// fire while its coroutine runs: the parent's own executor if that is one, else a strand per child, so that
/// children run in parallel. There its cancellation is delivered and its end reported; the bookkeeping here
/// is under a mutex. All members may be called from any thread while a child is left.
class nursery {
 public:
  /// @param executor where the children run; @param limit how many limited ones run at a time, 0: any number
  explicit nursery(boost::asio::any_io_executor executor, std::size_t limit = 0);
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
  bool try_place();
  /// True if `self` now waits for a place; false with one.
  bool enlist_for_place(waiter& self);
  void withdraw_from_place(waiter& self);

  /// Asks every child to stop; idempotent.
  void cancel();
  /// Records an error as if a child had failed with it.
  void fail(std::exception_ptr error);

  /// How many children have not finished.
  std::size_t count() const noexcept { return count_.load(std::memory_order_relaxed); }

  /// Whether the children have been asked to stop.
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }

  /// Whether a child ended because it was asked to stop, or was not started; once all have finished.
  bool interrupted() const noexcept { return interrupted_; }

  /// What the children failed with, first one first; once all have finished.
  std::vector<std::exception_ptr>& errors() noexcept { return errors_; }

  /// Whether all children have finished: what they wrote is then visible, and none uses the nursery any more.
  bool finished();

  /// True if `self` now waits until all children have finished; false if they have.
  bool enlist_for_all(waiter& self);

  /// Whether all children but one, which asks, have finished.
  bool others_finished();

  /// True if `self`, a child's, now waits until all others have finished; false if they have.
  bool enlist_for_others(waiter& self);
  void withdraw_from_others(waiter& self);

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

  struct dropped_children;

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

  void start(coroutine_root root, child& item, launch where);
  void failed(child& item, std::exception_ptr error);
  /// The child has finished. The nursery may be gone when this returns.
  void leave(child& item);
  void drop(admission how);

  // ---- under the mutex

  bool try_place_locked() noexcept;
  void enqueue(coroutine_root root, child& item) noexcept;
  void link(child& item) noexcept;
  void unlink(child& item) noexcept;
  // Written under the mutex only: a load and a store suffice.
  void add_to_count(std::size_t change) noexcept {
    count_.store(count_.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
  }

  /// Passes on a place that has come free; returns the queued child that got it, if one did.
  child* give_place(wake_chain& woken) noexcept;
  void wake_joiners(wake_chain& woken) noexcept;
  void cancel_locked(dropped_children& dropped);

  const boost::asio::any_io_executor executor_;
  const bool single_thread_;  // executor_ is an event loop that one thread alone runs
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

task<supervised> supervise_call(void (*start)(void*, nursery&), void* what, std::size_t limit,
                                std::vector<std::exception_ptr>* errors);

/// Lets `start(nursery&)` spawn children, waits for all of them, and throws the first error. Children are
/// asked to stop when one fails or when the awaiting coroutine is cancelled, and are always waited for.
///
/// @param start kept by reference: must outlive the await
/// @param errors receives all errors, the first one first, if it is not null
template <class Start>
task<supervised> supervise(Start& start, std::size_t limit = 0,
                           std::vector<std::exception_ptr>* errors = nullptr) {
  return supervise_call([](void* what, nursery& children) { (*static_cast<Start*>(what))(children); }, &start,
                        limit, errors);
}

}  // namespace weft::detail
