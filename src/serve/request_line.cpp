#include <weft/core/error.hpp>
#include <weft/serve/detail/request_line.hpp>

#include <boost/asio/defer.hpp>

#include <algorithm>     // for std::min, std::max
#include <cassert>       // for assert
#include <chrono>        // for std::chrono::milliseconds
#include <cmath>         // for std::ceil
#include <exception>     // for std::make_exception_ptr
#include <mutex>         // for std::unique_lock
#include <shared_mutex>  // for std::shared_lock
#include <string>        // for std::to_string
#include <utility>       // for std::move

namespace weft::detail {
namespace {

// How long a loop may keep a request to itself while others come with it.
constexpr std::chrono::microseconds longest_turn{200};

}  // namespace

request_line::request_line(batcher_options options, std::function<void()> run_due)
    : options_(checked(std::move(options))) {
  if (options_.run_on_loop) board_->run_due = std::move(run_due);
  stats_.sizes.resize(options_.max_batch_size + 1);
}

request_line::~request_line() {
  assert(stats_.queued == 0 && stats_.running == 0);
}

bool request_line::enlist(request_entry& entry, boost::asio::io_context* loop) {
  notice how = notice::none;
  const auto board = board_;  // once it is answered, this may be gone
  const bool run_on_loop = options_.run_on_loop;
  {
    const std::lock_guard lock(mutex_);
    const auto now = batch_clock::now();
    if (auto reason = refusal(entry, now)) {
      entry.who.failure = std::move(reason);
      entry.who.set_reason(wake_reason::closed);
      return false;
    }
    entry.arrival = now;
    append(entry);
    ++stats_.accepted;
    if (idle_ != 0) how = notice_of(entry, loop, now);
  }
  if (how == notice::at_once) {
    board->changed.notify_one();
  } else if (how == notice::by_loop && !run_on_loop) {
    boost::asio::defer(*loop, [board] { board->changed.notify_one(); });
  } else if (how == notice::by_loop) {
    boost::asio::defer(*loop, [board] {
      const std::shared_lock running(board->loops);
      if (board->run_due) board->run_due();
    });
  }
  return true;
}

request_line::notice request_line::notice_of(const request_entry& entry, const boost::asio::io_context* loop,
                                             batch_clock::time_point now) {
  const batch_release plan = plan_release(options_, cost_, seen(groups_.at(entry.group)), closed_, now);
  // A loop that runs batches itself does so when its turn ends, and not in the middle of a request.
  const bool complete =
      !options_.run_on_loop && (plan.why == release_reason::full || plan.why == release_reason::preferred);
  if (plan.due < alarm_) {
    alarm_ = plan.due;
    telling_ = complete ? nullptr : loop;
    telling_thread_ = std::this_thread::get_id();
    telling_since_ = now;
    return telling_ == nullptr ? notice::at_once : notice::by_loop;
  }
  if (telling_ == nullptr) return notice::none;
  // What another thread asks for must not depend on what that loop does, nor its own for long.
  const bool same_turn = telling_ == loop && telling_thread_ == std::this_thread::get_id();
  if (same_turn && !complete && now - telling_since_ < longest_turn) return notice::none;
  telling_ = nullptr;
  return notice::at_once;
}

void request_line::withdraw(request_entry& entry) {
  wake_chain woken;
  const std::lock_guard lock(mutex_);
  if (entry.now == request_entry::state::queued) {
    remove(entry);
  } else if (entry.now == request_entry::state::running) {
    *entry.seat = nullptr;
  } else {
    return;
  }
  entry.now = request_entry::state::settled;
  ++stats_.cancelled;
  woken.add(entry.who, wake_reason::cancelled);
}

void request_line::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
}

void request_line::dismiss_loops() {
  const std::unique_lock lock(board_->loops);
  board_->run_due = nullptr;
}

bool request_line::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

batcher_stats request_line::stats() const {
  const std::lock_guard lock(mutex_);
  batcher_stats now = stats_;
  now.idle = std::min(idle_, options_.instances - stats_.running);
  return now;
}

gathering request_line::seen(const gathering_group& group) const noexcept {
  auto oldest = batch_clock::time_point::max();
  for (const entry_list& level : group.levels) {
    if (level.first != nullptr) oldest = std::min(oldest, level.first->arrival);
  }
  return {group.count, oldest, group.latest};
}

std::optional<request_line::choice> request_line::choose(batch_clock::time_point now) {
  std::optional<choice> best;
  auto best_oldest = batch_clock::time_point::max();
  for (auto group = groups_.begin(); group != groups_.end(); ++group) {
    const gathering waiting = seen(group->second);
    const batch_release plan = plan_release(options_, cost_, waiting, closed_, now);
    // Of those that are due now, the one that has waited longest.
    const auto due = std::max(plan.due, now);
    const bool better = !best || due < std::max(best->plan.due, now) ||
                        (due == std::max(best->plan.due, now) && waiting.oldest < best_oldest);
    if (!better) continue;
    best = choice{group, plan};
    best_oldest = waiting.oldest;
  }
  return best;
}

bool request_line::await_batch(std::unique_lock<std::mutex>& lock) {
  while (true) {
    const auto now = batch_clock::now();
    telling_ = nullptr;  // this instance sees everything
    const std::optional<choice> best = choose(now);
    // A loop may be running a batch in this one's place; its end is told.
    const bool may_run = stats_.running < options_.instances;
    if (best && may_run && best->plan.due <= now) return true;
    if (!best && closed_) return false;
    ++idle_;
    if (best && may_run) {
      alarm_ = best->plan.due;
      changed_.wait_until(lock, best->plan.due);
    } else {
      alarm_ = batch_clock::time_point::max();
      changed_.wait(lock);
    }
    --idle_;
  }
}

bool request_line::due_for_loop(batch_clock::time_point begin) {
  telling_ = nullptr;
  if (stats_.running == options_.instances) return false;  // whoever runs one looks again at its end
  const auto now = batch_clock::now();
  const std::optional<choice> best = choose(now);
  if (!best) return false;
  if (best->plan.due <= now && seen(best->group->second).oldest <= begin) return true;
  changed_.notify_one();
  return false;
}

void request_line::assemble(std::vector<request_entry*>& seats, wake_chain& woken) {
  seats.clear();
  const auto now = batch_clock::now();
  const choice best = *choose(now);
  gathering_group& group = best.group->second;
  for (entry_list& level : group.levels) {
    while (level.first != nullptr && seats.size() < best.plan.size) {
      request_entry& entry = *level.first;
      if (entry.deadline <= now) {
        remove_from(group, entry);
        entry.now = request_entry::state::settled;
        entry.who.failure = std::make_exception_ptr(timeout_error());
        ++stats_.cancelled;
        woken.add(entry.who, wake_reason::ready);
      } else {
        remove_from(group, entry);
        entry.now = request_entry::state::running;
        stats_.queue_seconds += std::chrono::duration<double>(now - entry.arrival).count();
        seats.push_back(&entry);
      }
    }
  }
  if (group.count == 0) groups_.erase(best.group);
  for (request_entry*& seat : seats) seat->seat = &seat;
  alarm_ = batch_clock::time_point::max();
  if (!seats.empty()) {
    ++stats_.batches;
    ++stats_.released[static_cast<std::size_t>(best.plan.why)];
    ++stats_.sizes[seats.size()];
    ++stats_.running;
  }
  // Whoever was woken for this batch may not have been the only one that something is due for.
  if (idle_ != 0 && !groups_.empty()) changed_.notify_one();
}

void request_line::append(request_entry& entry) {
  gathering_group& group = groups_[entry.group];
  group.levels.resize(options_.priority_levels);
  entry_list& level = group.levels[entry.level];
  entry.next = nullptr;
  entry.previous = level.last;
  (level.last != nullptr ? level.last->next : level.first) = &entry;
  level.last = &entry;
  entry.now = request_entry::state::queued;
  group.latest = entry.arrival;
  ++group.count;
  ++stats_.queued;
}

void request_line::remove_from(gathering_group& group, request_entry& entry) {
  entry_list& level = group.levels[entry.level];
  (entry.previous != nullptr ? entry.previous->next : level.first) = entry.next;
  (entry.next != nullptr ? entry.next->previous : level.last) = entry.previous;
  --group.count;
  --stats_.queued;
}

void request_line::remove(request_entry& entry) {
  const auto group = groups_.find(entry.group);
  remove_from(group->second, entry);
  if (group->second.count == 0) groups_.erase(group);
}

void request_line::settle(request_entry& entry) {
  entry.now = request_entry::state::settled;
  ++(entry.who.failure ? stats_.failed : stats_.succeeded);
}

void request_line::deliver(std::uint64_t number, const std::vector<request_entry*>& seats, double seconds,
                           bool learn, wake_chain& woken) {
  const auto wake = [&](const std::vector<request_entry*>& entries) {
    for (request_entry* entry : entries) {
      if (entry != nullptr) woken.add(entry->who, wake_reason::ready);
    }
  };
  --stats_.running;
  if (options_.run_on_loop && !groups_.empty()) changed_.notify_one();
  stats_.model_seconds += seconds;
  if (learn) cost_.add(seats.size(), seconds);
  if (!options_.preserve_order) return wake(seats);
  if (number != next_delivery_) {
    held_.emplace(number, seats);
    return;
  }
  wake(seats);
  ++next_delivery_;
  while (!held_.empty() && held_.begin()->first == next_delivery_) {
    wake(held_.begin()->second);
    held_.erase(held_.begin());
    ++next_delivery_;
  }
}

double request_line::seconds_behind(std::size_t ahead) const noexcept {
  const std::size_t batches = ahead / options_.max_batch_size;
  return static_cast<double>(batches) * cost_.seconds(options_.max_batch_size) /
         static_cast<double>(options_.instances);
}

std::exception_ptr request_line::refusal(const request_entry& entry, batch_clock::time_point now) {
  if (closed_) return std::make_exception_ptr(batcher_closed());
  const auto retry_after = [this] {
    const double milliseconds = 1e3 * seconds_behind(stats_.queued + options_.max_batch_size);
    return std::chrono::milliseconds(
        std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(milliseconds))));
  };
  if (stats_.queued >= options_.max_queue_size) {
    ++stats_.refused;
    return std::make_exception_ptr(overloaded(
        "the batcher is overloaded: " + std::to_string(stats_.queued) + " requests wait", retry_after()));
  }
  if (entry.deadline == batch_clock::time_point::max()) return nullptr;
  // What runs now is not counted, nor what goes before it later: only a request that has no chance is
  // refused. Before the first batch nothing is known, and a limit may be over by now: that is a timeout.
  const double needed = seconds_behind(stats_.queued) + cost_.seconds(1);
  if (needed == 0 || now + std::chrono::duration<double>(needed) <= entry.deadline) return nullptr;
  ++stats_.refused;
  return std::make_exception_ptr(
      overloaded("the batcher is overloaded: it would take " +
                     std::to_string(static_cast<std::int64_t>(std::ceil(1e3 * needed))) +
                     " ms, longer than the request's time limit",
                 retry_after()));
}

}  // namespace weft::detail
