#pragma once

#include <weft/async/detail/spin.hpp>
#include <weft/async/detail/waiter.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>

#include <atomic>       // for std::atomic
#include <chrono>       // for std::chrono::duration, std::chrono::steady_clock
#include <cstdint>      // for std::uint32_t
#include <exception>    // for std::exception_ptr
#include <mutex>        // for std::mutex
#include <optional>     // for std::optional
#include <type_traits>  // for std::is_void_v
#include <utility>      // for std::move, std::exchange
#include <variant>      // for std::variant, std::monostate

namespace weft {

namespace detail {

/// One submitted call: its progress, its result and who waits for it. Shared by the future and the pool.
///
/// `word` holds the progress and a flag that somebody waits. A thread that wants to run the call claims it by
/// moving it from queued to running; whoever claims it completes it, so a queued call can be run in place
/// by a waiting pool thread or be cancelled, and the pool later finds it claimed and leaves it alone.
class shared_call {
 public:
  shared_call(const shared_call&) = delete;
  shared_call& operator=(const shared_call&) = delete;

  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  bool ready() const noexcept { return (word_.load(std::memory_order_acquire) & progress_mask) == finished; }

  /// Runs the call here if nobody has claimed it yet.
  void run_if_queued() noexcept {
    if (!claim()) return;
    execute();
    finish();
  }

  /// Fails the call with `cancelled` if nobody has claimed it yet, or can still be stopped. Returns whether
  /// it is, or will be.
  virtual bool cancel() noexcept {
    if (!claim()) return false;
    fail(std::make_exception_ptr(cancelled()));
    finish();
    return true;
  }

  /// Fails the call if nobody has claimed it: no thread will come for it.
  void abandon(std::exception_ptr why) noexcept {
    if (!claim()) return;
    fail(std::move(why));
    finish();
  }

  /// Called by a plain thread that is about to block for the result: a chance to fetch it by itself.
  virtual void help() noexcept {}

  /// True if `self` now waits for the call to finish; false if it has finished.
  bool enlist(waiter& self) noexcept {
    const std::lock_guard lock(mutex_);
    if ((word_.fetch_or(awaited, std::memory_order_acq_rel) & progress_mask) == finished) {
      self.set_reason(wake_reason::ready);
      return false;
    }
    waiters_.push_back(self);
    return true;
  }

  /// Blocks the thread until the call has finished. Small calls end sooner than a thread goes to sleep.
  void wait() {
    help();
    constexpr int spins = 64;
    for (int i = 0; i < spins; ++i) {
      if (ready()) return;
      pause_processor();
    }
    thread_waiter self;
    if (enlist(self)) self.block();
  }

  /// Whether the result is an exception; only once the call is ready and before it is taken.
  virtual bool failed() const noexcept = 0;

  /// The pool whose threads run the call, as a name only; nullptr if it is not one of threads.
  virtual const void* home() const noexcept { return nullptr; }

  /// Unlinks `self` without waking it; false if somebody is about to wake it.
  bool remove(waiter& self) noexcept {
    const std::lock_guard lock(mutex_);
    if (!self.linked()) return false;
    waiters_.remove(self);
    return true;
  }

 protected:
  static constexpr std::uint32_t queued = 0;
  static constexpr std::uint32_t running = 1;
  static constexpr std::uint32_t finished = 2;

  /// A call that some thread will claim, or, given `running`, one whose maker has claimed it already.
  explicit shared_call(std::uint32_t progress = queued) : word_(progress) {}
  virtual ~shared_call() = default;
  virtual void execute() noexcept = 0;
  virtual void fail(std::exception_ptr error) noexcept = 0;

  /// Tells whoever waits; once, by who has claimed the call, after the result has been stored.
  void finish() noexcept {
    if ((word_.exchange(finished, std::memory_order_acq_rel) & awaited) == 0) return;
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    while (!waiters_.empty()) {
      waiter& next = *waiters_.front();
      waiters_.remove(next);
      woken.add(next, wake_reason::ready);
    }
  }

 private:
  static constexpr std::uint32_t progress_mask = 3;
  static constexpr std::uint32_t awaited = 4;

  bool claim() noexcept {
    std::uint32_t word = word_.load(std::memory_order_relaxed);
    while ((word & progress_mask) == queued) {
      // Acquire pairs with the constructor's store below: everything the submitter wrote is visible here.
      if (word_.compare_exchange_weak(word, word | running, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  std::atomic<std::uint32_t> references_{1};
  std::atomic<std::uint32_t> word_;
  std::mutex mutex_;
  wait_list waiters_;
};

/// Set while a thread runs a pool's call: such a thread must not simply block.
inline thread_local int pool_call_depth = 0;
/// The pool whose calls this thread runs, as a name only.
inline thread_local const void* this_thread_pool = nullptr;

struct future_calls;
struct future_access;

template <class R>
class typed_call : public shared_call {
 public:
  /// The result, moved out, or its exception; only once the call is ready.
  R take() {
    // Moved out: the pool's thread may hold this call a little longer and shall not free the exception.
    if (auto* error = std::get_if<std::exception_ptr>(&result_)) std::rethrow_exception(std::move(*error));
    if constexpr (!std::is_void_v<R>) return std::move(std::get<value_type>(result_));
  }

  bool failed() const noexcept override { return std::holds_alternative<std::exception_ptr>(result_); }

 protected:
  using shared_call::shared_call;
  using value_type = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

  void fail(std::exception_ptr error) noexcept override {
    result_.template emplace<std::exception_ptr>(std::move(error));
  }

  struct nothing_yet {};
  std::variant<nothing_yet, value_type, std::exception_ptr> result_;
};

}  // namespace detail

template <class R>
class as_completed;

/// The result of a call that was submitted to a pool: a value or an exception, some time later.
///
/// A future is move-only; its result is taken once, by get() or async_get(). Dropping a future lets its call
/// run to the end and drops the result.
///
/// Thread safety: distinct objects safe; a single object is not safe to share.
/// Cancellation: see cancel() and async_get().
template <class R>
class future {
 public:
  /// What get() gives.
  using value_type = R;

  /// No result: valid() is false and every other member must not be called.
  future() = default;
  /// Takes the call over; the other future is empty.
  future(future&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
  /// Exchanges the two.
  future& operator=(future&& other) noexcept {
    std::swap(call_, other.call_);
    return *this;
  }
  ~future() {
    if (call_ != nullptr) call_->release();
  }

  /// Whether there is a result to take, now or later.
  bool valid() const noexcept { return call_ != nullptr; }

  /// Whether get() would return at once.
  bool ready() const noexcept { return call_->ready(); }

  /// Waits for the result and returns it, or throws what the call threw; `cancelled` if it was cancelled.
  ///
  /// Called by a pool's thread it cannot deadlock: a call that has not been started is run right here, and
  /// one that runs elsewhere is waited for. Never call it on a thread that runs an event loop: await
  /// async_get().
  R get() {
    wait();
    const owner last(*this);
    return last.call->take();
  }

  /// Waits until the result is there; runs the call itself as get() does.
  void wait() {
    if (call_->ready()) return;
    if (detail::pool_call_depth > 0) call_->run_if_queued();
    call_->wait();
  }

  /// Waits at most `limit`; returns whether the result is there.
  template <class Rep, class Period>
  bool wait_for(std::chrono::duration<Rep, Period> limit) {
    if (call_->ready()) return true;
    detail::thread_waiter self;
    if (!call_->enlist(self)) return true;
    if (self.block_until(std::chrono::steady_clock::now() + limit)) return true;
    if (call_->remove(self)) return false;
    self.block();
    return true;
  }

  /// Keeps the call from starting: its result is then the exception `cancelled`. False if it runs or has run.
  /// A call that runs in a worker process is stopped too, by killing and replacing the worker; the result is
  /// there once the worker is dead.
  bool cancel() noexcept { return call_->cancel(); }

  /// Awaits the result and returns it or throws what the call threw; resumes on the coroutine's executor.
  ///
  /// Awaited by a thread of the call's own pool, which runs an event loop inside another call, a call that
  /// has not been started is run right here, as get() does.
  ///
  /// Cancellation: a call that has not been started is cancelled and `cancelled` is thrown; one that runs is
  /// waited for, because it may use what the coroutine owns, and then `cancelled` is thrown. One that runs in
  /// a worker process is stopped, and its worker's end waited for.
  task<R> async_get() {
    return get_or_stop([] {});
  }

 private:
  template <class>
  friend class as_completed;
  friend struct detail::future_calls;
  friend struct detail::future_access;
  friend class thread_pool;
  using call_type = detail::typed_call<R>;

  // async_get(), which when cancelled also tells the running call by `stop()`.
  template <class Stop>
  task<R> get_or_stop(Stop stop) {
    const owner last(*this);
    bool asked_to_stop = false;
    if (detail::this_thread_pool != nullptr && detail::this_thread_pool == last.call->home()) {
      last.call->run_if_queued();
    }
    if (!last.call->ready()) {
      detail::coroutine_waiter self;
      auto enlist = [&] { return last.call->enlist(self); };
      auto cancel = [&] {
        asked_to_stop = true;
        stop();
        last.call->cancel();
      };
      co_await self.suspend(enlist, cancel);
    }
    if (asked_to_stop) throw cancelled();
    co_return last.call->take();
  }

  // Adopts one reference.
  explicit future(call_type* call) noexcept : call_(call) {}

  // Takes over the future's reference, so that the result goes when it has been taken.
  struct owner {
    explicit owner(future& from) noexcept : call(std::exchange(from.call_, nullptr)) {}
    owner(const owner&) = delete;
    owner& operator=(const owner&) = delete;
    ~owner() { call->release(); }
    call_type* call;
  };

  call_type* call_ = nullptr;
};

namespace detail {

/// For other pools: a future from a call, and back.
struct future_access {
  /// Adopts one reference.
  template <class R>
  static future<R> make(typed_call<R>* call) noexcept {
    return future<R>(call);
  }

  template <class R>
  static shared_call& call_of(future<R>& from) noexcept {
    return *from.call_;
  }
};

}  // namespace detail

}  // namespace weft
