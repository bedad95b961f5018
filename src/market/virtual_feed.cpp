#include <market/checks.hpp>
#include <weft/async/timeout.hpp>
#include <weft/core/error.hpp>
#include <weft/market/virtual_feed.hpp>

#include <algorithm>  // for std::max
#include <chrono>     // for std::chrono::steady_clock
#include <utility>    // for std::move

namespace weft {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t ticks_at_once = 4096;

task<std::optional<std::vector<received_tick>>> take_until(tick_inbox& inbox,
                                                           steady_clock::time_point until) {
  task<std::vector<received_tick>> coming = inbox.pop_some(ticks_at_once);
  std::optional<std::vector<received_tick>> ticks;
  try {
    ticks = co_await timeout(std::move(coming), until - steady_clock::now());
  } catch (const timeout_error&) {
  }
  co_return ticks;
}

}  // namespace

virtual_feed::virtual_feed(virtual_clock& clock, std::size_t capacity)
    : clock_(clock), kept_(capacity), arrived_(clock) {
  if (capacity == 0) throw invalid_argument("virtual_feed: capacity is 0, it must be at least 1");
}

void virtual_feed::deliver(const tick& next) {
  if (!checker_.accept(next)) return;
  clock_.run_until(std::max(next.time, clock_.now()));
  kept_[delivered_++ % kept_.size()] = next;
  arrived_.notify_all();
  clock_.run_until(clock_.now());
}

void virtual_feed::end() {
  ended_ = true;
  arrived_.notify_all();
  clock_.run_until(clock_.now());
}

std::optional<tick> virtual_feed::next_awaiter::await_resume() const noexcept {
  const virtual_feed& feed = *reader_.feed_;
  if (reader_.next_ == feed.delivered_) return std::nullopt;
  const std::uint64_t behind = feed.delivered_ - reader_.next_;
  const std::uint64_t missed = behind > feed.kept_.size() ? behind - feed.kept_.size() : 0;
  reader_.dropped_ += missed;
  reader_.next_ += missed;
  return feed.kept_[reader_.next_++ % feed.kept_.size()];
}

task<void> follow(tick_inbox& inbox, virtual_feed& feed, double speed) {
  detail::require(speed >= 0.0, "follow", "speed", speed, "at least 0");
  virtual_clock& clock = feed.clock_;
  bool begun = false;
  std::chrono::nanoseconds time{0};  // here was there, and goes on from there
  steady_clock::time_point here;
  for (;;) {
    std::optional<std::vector<received_tick>> ticks;
    const auto next = clock.next_event();
    if (!begun || speed == 0.0 || !next) {
      ticks = co_await inbox.pop_some(ticks_at_once);
    } else {
      const std::chrono::duration<double, std::nano> wait = (*next - time) / speed;
      const auto until = here + std::chrono::duration_cast<steady_clock::duration>(wait);
      if (inbox.size() > 0 || until > steady_clock::now()) ticks = co_await take_until(inbox, until);
    }
    if (!ticks) {
      clock.run_until(*next);
      continue;
    }
    if (ticks->empty()) break;
    for (const received_tick& each : *ticks) feed.deliver(each.value);
    begun = true;
    time = clock.now();
    here = ticks->back().received;
  }
  feed.end();
}

}  // namespace weft
