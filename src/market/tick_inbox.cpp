#include <weft/core/error.hpp>
#include <weft/market/tick_inbox.hpp>

#include <optional>  // for std::optional

namespace weft {
namespace {

std::size_t checked(const tick_inbox_options& options) {
  if (options.capacity == 0) throw invalid_argument("tick_inbox: capacity is 0, it must be at least 1");
  return options.capacity;
}

}  // namespace

tick_inbox::tick_inbox(tick_inbox_options options)
    : policy_(options.policy),
      ticks_(policy_ == overrun_policy::latest_of_a_symbol ? 1 : checked(options)),
      symbols_(policy_ == overrun_policy::latest_of_a_symbol ? checked(options) : 1) {}

task<void> tick_inbox::push(tick next) {
  received_tick arrived{next, std::chrono::steady_clock::now()};
  if (policy_ == overrun_policy::latest_of_a_symbol) {
    push_latest(arrived);
    co_return;
  }
  if (policy_ == overrun_policy::block) {
    co_await ticks_.push(arrived);
    co_return;
  }
  while (!ticks_.try_push(arrived)) {
    const std::optional<received_tick> oldest = ticks_.try_pop();
    if (oldest) dropped_.fetch_add(1, std::memory_order_relaxed);
  }
}

void tick_inbox::push_latest(const received_tick& arrived) {
  const std::lock_guard lock(mutex_);
  if (symbols_.closed()) throw queue_closed();
  const auto [place, added] = latest_.insert_or_assign(arrived.value.symbol, arrived);
  if (!added) {
    replaced_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  std::uint32_t symbol = arrived.value.symbol;
  while (!symbols_.try_push(symbol)) {
    const std::optional<std::uint32_t> oldest = symbols_.try_pop();
    if (!oldest) continue;
    latest_.erase(*oldest);
    dropped_.fetch_add(1, std::memory_order_relaxed);
  }
}

task<std::vector<received_tick>> tick_inbox::pop_some(std::size_t count) {
  if (policy_ != overrun_policy::latest_of_a_symbol) {
    std::vector<received_tick> ticks = co_await ticks_.pop_some(count);
    co_return ticks;
  }
  const std::vector<std::uint32_t> symbols = co_await symbols_.pop_some(count);
  std::vector<received_tick> ticks;
  ticks.reserve(symbols.size());
  const std::lock_guard lock(mutex_);
  for (const std::uint32_t symbol : symbols) {
    const auto found = latest_.find(symbol);
    ticks.push_back(found->second);
    latest_.erase(found);
  }
  co_return ticks;
}

void tick_inbox::close() {
  const std::lock_guard lock(mutex_);
  ticks_.close();
  symbols_.close();
}

std::size_t tick_inbox::size() const noexcept {
  return policy_ == overrun_policy::latest_of_a_symbol ? symbols_.size() : ticks_.size();
}

}  // namespace weft
