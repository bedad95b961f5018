#pragma once

#include <weft/async/queue.hpp>
#include <weft/pool/future.hpp>

#include <atomic>    // for std::atomic
#include <cstddef>   // for std::size_t
#include <iterator>  // for std::default_sentinel_t
#include <memory>    // for std::shared_ptr
#include <optional>  // for std::optional
#include <utility>   // for std::move
#include <vector>    // for std::vector

namespace weft {

/// The futures of a set in the order in which they finish, as concurrent.futures.as_completed() gives them:
///
///     for (auto& done : as_completed(std::move(futures))) use(done.get());     // blocks a plain thread
///     while (auto done = co_await finished.next()) use(done->get());            // in a coroutine
///
/// Dropping it early leaves the remaining calls running and drops their results.
///
/// Thread safety: distinct objects safe; next() and next_wait() of a shared object may be called at the same
/// time. Cancellation: a cancelled next() has taken none.
template <class R>
class as_completed {
 public:
  /// What next() gives.
  using value_type = future<R>;

  /// @param futures valid futures, whose results have not been taken
  explicit as_completed(std::vector<future<R>> futures)
      : board_(std::make_shared<board>(std::move(futures))) {
    for (entry& item : board_->entries) {
      item.owner = board_;
      if (!item.result.call_->enlist(item)) item.wake();
    }
  }

  /// How many there are in all.
  std::size_t size() const noexcept { return board_->entries.size(); }

  /// Awaits the next one that finishes; its get() returns at once. Empty when all have been given out.
  task<std::optional<future<R>>> next() {
    const auto keep = board_;
    const auto index = co_await keep->finished.pop();
    co_return take(*keep, index);
  }

  /// As next(), blocking a plain thread. A pool's thread runs calls that nobody has begun, as future::get()
  /// does.
  std::optional<future<R>> next_wait() {
    if (detail::pool_call_depth > 0) {
      while (true) {
        if (const auto index = board_->finished.try_pop()) return take(*board_, index);
        if (!board_->help()) break;
      }
    }
    return take(*board_, board_->finished.pop_wait());
  }

  /// An input iterator over the futures as they finish.
  class iterator {
   public:
    /// What it points to.
    using value_type = future<R>;
    /// Required of an iterator.
    using difference_type = std::ptrdiff_t;

    /// The next future that finished, by move.
    future<R>& operator*() const noexcept { return *current_; }
    /// Waits for the one after.
    iterator& operator++() {
      current_ = source_->next_wait();
      return *this;
    }
    /// Waits for the one after.
    void operator++(int) { ++*this; }
    /// Whether all have been given out.
    bool operator==(std::default_sentinel_t) const noexcept { return !current_; }

   private:
    friend class as_completed;
    explicit iterator(as_completed& source) : source_(&source), current_(source.next_wait()) {}
    as_completed* source_;
    mutable std::optional<future<R>> current_;
  };

  /// Waits for the first that finishes.
  iterator begin() { return iterator(*this); }
  /// The end of the set.
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  struct board;

  // Waits for one future; woken by the thread that finishes it.
  struct entry final : detail::waiter {
    future<R> result;
    std::size_t index = 0;
    detail::shared_call* call = nullptr;  // that of `result`, which is handed out
    std::shared_ptr<board> owner;         // until woken: the set may have been dropped meanwhile

    void wake() noexcept override {
      const auto keep = std::move(owner);
      std::size_t position = index;
      keep->finished.try_push(position);  // has room for all
      if (keep->given_in.fetch_add(1, std::memory_order_acq_rel) + 1 == keep->entries.size())
        keep->finished.close();
    }
  };

  struct board {
    explicit board(std::vector<future<R>> futures)
        : entries(futures.size()), finished(futures.empty() ? 1 : futures.size()) {
      for (std::size_t i = 0; i < entries.size(); ++i) {
        entries[i].result = std::move(futures[i]);
        entries[i].index = i;
        entries[i].call = entries[i].result.call_;
        entries[i].call->retain();
      }
      if (entries.empty()) finished.close();
    }
    board(const board&) = delete;
    board& operator=(const board&) = delete;
    ~board() {
      for (entry& each : entries) each.call->release();
    }

    /// Runs the next call here unless somebody has begun it; false if there is none.
    bool help() noexcept {
      const std::size_t next = helped.fetch_add(1, std::memory_order_relaxed);
      if (next >= entries.size()) return false;
      entries[next].call->run_if_queued();
      return true;
    }

    std::vector<entry> entries;
    queue<std::size_t> finished;
    std::atomic<std::size_t> given_in{0};
    std::atomic<std::size_t> helped{0};
  };

  static std::optional<future<R>> take(board& from, std::optional<std::size_t> index) {
    if (!index) return std::nullopt;
    return std::move(from.entries[*index].result);
  }

  std::shared_ptr<board> board_;
};

}  // namespace weft
