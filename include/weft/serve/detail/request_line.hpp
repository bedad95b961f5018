#pragma once

#include <weft/async/detail/waiter.hpp>
#include <weft/serve/batcher_options.hpp>
#include <weft/serve/detail/batch_cost.hpp>
#include <weft/serve/detail/batch_release.hpp>

#include <boost/asio/io_context.hpp>

#include <condition_variable>  // for std::condition_variable
#include <cstddef>             // for std::size_t
#include <cstdint>             // for std::uint64_t, std::uint8_t
#include <functional>          // for std::function
#include <map>                 // for std::map
#include <memory>              // for std::shared_ptr
#include <mutex>               // for std::mutex, std::unique_lock
#include <optional>            // for std::optional
#include <shared_mutex>        // for std::shared_mutex
#include <thread>              // for std::thread::id
#include <vector>              // for std::vector

namespace weft::detail {

/// A request inside a request_line. It lives with who waits for the answer, and is guarded by the line's
/// mutex from enlist() until its waiter is woken.
struct request_entry {
  request_entry(waiter& waiting, std::size_t priority, std::uint64_t group_key,
                batch_clock::time_point latest)
      : who(waiting), level(priority), group(group_key), deadline(latest) {}

  enum class state : std::uint8_t { outside, queued, running, settled };

  waiter& who;
  const std::size_t level;  // 0 goes first
  const std::uint64_t group;
  const batch_clock::time_point deadline;
  batch_clock::time_point arrival;
  request_entry* next = nullptr;
  request_entry* previous = nullptr;
  request_entry** seat = nullptr;  // while it runs: its place in the batch, which is null once it has left
  state now = state::outside;
};

/// What waits for a batch and what runs: who is let in, when a batch leaves, who gets an answer. It knows
/// nothing of what requests are.
///
/// Thread safety: all members may be called from any thread.
class request_line {
 public:
  /// Throws invalid_argument as checked() does.
  ///
  /// @param run_due with `run_on_loop`: takes what is due, with take_due(), and runs it
  request_line(batcher_options options, std::function<void()> run_due);
  request_line(const request_line&) = delete;
  request_line& operator=(const request_line&) = delete;
  ~request_line();

  const batcher_options& options() const noexcept { return options_; }

  // ---- who wants an answer --------------------------------------------------------------------------------

  /// True if the entry now waits; false if it was refused: its waiter's failure says why.
  ///
  /// @param loop the event loop whose thread calls this: an idle instance is told when what that loop has to
  ///        do already is done, so that requests that came together share a batch, or with `run_on_loop` that
  ///        loop runs the batch then; null: an instance is told at once
  bool enlist(request_entry& entry, boost::asio::io_context* loop = nullptr);
  /// Takes the entry out, unless it has been settled, and wakes its waiter as cancelled.
  void withdraw(request_entry& entry);

  // ---- an instance ----------------------------------------------------------------------------------------

  /// Waits until a batch is due, fills `seats` with its entries and calls load(entry) for each, under the
  /// mutex. Returns the batch's number; nothing once the line is closed and empty.
  template <class Load>
  std::optional<std::uint64_t> take(std::vector<request_entry*>& seats, Load load) {
    while (true) {
      wake_chain woken;
      std::unique_lock lock(mutex_);
      if (!await_batch(lock)) return std::nullopt;
      assemble(seats, woken);
      if (seats.empty()) continue;  // the time of all of them was over
      for (request_entry* entry : seats) load(*entry);
      return number_++;
    }
  }

  /// As take(), for a loop that does an instance's work: nothing unless a batch is due with a request that
  /// came before `begin`, and fewer batches run than there are instances.
  template <class Load>
  std::optional<std::uint64_t> take_due(std::vector<request_entry*>& seats, Load load,
                                        batch_clock::time_point begin) {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    seats.clear();
    while (seats.empty()) {  // the time of all of them was over
      if (!due_for_loop(begin)) return std::nullopt;
      assemble(seats, woken);
    }
    for (request_entry* entry : seats) load(*entry);
    return number_++;
  }

  /// The batch is done: calls store(entry, index) under the mutex for each entry that still waits, and wakes
  /// them.
  ///
  /// @param seconds what it took; @param learn whether that says what such a batch costs
  template <class Store>
  void finish(std::uint64_t number, std::vector<request_entry*>& seats, double seconds, bool learn,
              Store store) {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < seats.size(); ++i) {
      if (seats[i] == nullptr) continue;
      store(*seats[i], i);
      settle(*seats[i]);
    }
    deliver(number, seats, seconds, learn, woken);
  }

  // ---- everybody ------------------------------------------------------------------------------------------

  /// Refuses new requests; those that wait are served without further delay. Idempotent.
  void close();
  /// Waits until no loop runs a batch; from now on none does.
  void dismiss_loops();
  bool closed() const;

  batcher_stats stats() const;

 private:
  struct entry_list {
    request_entry* first = nullptr;
    request_entry* last = nullptr;
  };
  struct gathering_group {
    std::vector<entry_list> levels;
    std::size_t count = 0;
    batch_clock::time_point latest;
  };
  using groups = std::map<std::uint64_t, gathering_group>;
  struct choice {
    groups::iterator group;
    batch_release plan;
  };

  // ---- under the mutex

  enum class notice : std::uint8_t { none, at_once, by_loop };
  notice notice_of(const request_entry& entry, const boost::asio::io_context* loop,
                   batch_clock::time_point now);
  gathering seen(const gathering_group& group) const noexcept;
  std::optional<choice> choose(batch_clock::time_point now);
  bool await_batch(std::unique_lock<std::mutex>& lock);
  bool due_for_loop(batch_clock::time_point begin);
  void assemble(std::vector<request_entry*>& seats, wake_chain& woken);
  void append(request_entry& entry);
  void remove(request_entry& entry);
  void remove_from(gathering_group& group, request_entry& entry);
  void settle(request_entry& entry);
  void deliver(std::uint64_t number, const std::vector<request_entry*>& seats, double seconds, bool learn,
               wake_chain& woken);
  /// How long `ahead` requests keep a new one waiting.
  double seconds_behind(std::size_t ahead) const noexcept;
  std::exception_ptr refusal(const request_entry& entry, batch_clock::time_point now);

  // What a loop needs that is about to tell of its requests: once they are answered the line may be gone.
  struct notice_board {
    std::condition_variable changed;
    std::shared_mutex loops;        // shared: a loop runs what is due
    std::function<void()> run_due;  // empty once no loop may
  };

  const batcher_options options_;
  mutable std::mutex mutex_;
  const std::shared_ptr<notice_board> board_ = std::make_shared<notice_board>();
  std::condition_variable& changed_ = board_->changed;
  groups groups_;
  batch_cost cost_;
  bool closed_ = false;
  std::size_t idle_ = 0;  // instances that wait for a batch
  // No later than when the first of them wakes by itself: who makes a batch due before that wakes one.
  batch_clock::time_point alarm_ = batch_clock::time_point::max();
  // The loop, and its thread, that is about to tell an instance of an entry, since when; null if none is.
  const boost::asio::io_context* telling_ = nullptr;
  std::thread::id telling_thread_;
  batch_clock::time_point telling_since_;
  std::uint64_t number_ = 0;                                   // of the next batch
  std::uint64_t next_delivery_ = 0;                            // if order is preserved
  std::map<std::uint64_t, std::vector<request_entry*>> held_;  // done, but not yet their turn
  batcher_stats stats_;
};

}  // namespace weft::detail
