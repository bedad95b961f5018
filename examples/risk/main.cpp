// A book of options on prices that come in: priced and assessed again and again off the event loop, shown as
// a table while prices come, and as a page at the end.

#include "book.hpp"
#include "feed.hpp"
#include "market.hpp"
#include "options.hpp"
#include "page.hpp"
#include "table.hpp"

#include <weft/async/gather.hpp>
#include <weft/async/race.hpp>
#include <weft/async/run.hpp>
#include <weft/core/error.hpp>
#include <weft/market/risk_engine.hpp>
#include <weft/pool/thread_pool.hpp>

#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds between_tables{100};

/// All of a run; its coroutines share one event loop.
class session {
 public:
  explicit session(const risk::options& chosen)
      : chosen_(chosen),
        source_(chosen),
        arrived_({.capacity = 4096, .policy = weft::overrun_policy::block}),
        engine_(inbox_, [this](weft::market_prices now) { return assess(std::move(now)); }),
        live_(chosen.live == "always" || (chosen.live == "auto" && ::isatty(STDOUT_FILENO) == 1)) {}

  weft::task<> run() {
    weft::task<> receiving = receive();
    weft::task<> learning = learn();
    weft::task<> following = follow();
    co_await weft::gather(std::move(receiving), std::move(learning), std::move(following));
    if (failure_) std::rethrow_exception(failure_);
    if (so_far_.ticks == 0) throw weft::error("no price came");
  }

  void report() {
    show();
    if (chosen_.page.empty()) return;
    write_page(chosen_, prices_, last_, so_far_, ages_);
    fmt::print("the report is in {}\n", chosen_.page);
  }

 private:
  weft::task<> receive() {
    weft::task<> running = source_.run(arrived_);
    weft::task<> stopped = signalled();
    co_await weft::race(std::move(running), std::move(stopped));
    arrived_.close();
  }

  static weft::task<> signalled() {
    boost::asio::signal_set signals(co_await boost::asio::this_coro::executor, SIGINT, SIGTERM);
    co_await signals.async_wait(boost::asio::use_awaitable);
  }

  // Every price counts for the volatility; the engine simulates with the latest of each symbol.
  weft::task<> learn() {
    for (;;) {
      const auto some = co_await arrived_.pop_some(1024);
      if (some.empty()) break;
      if (prices_.size() == 0) prices_ = risk::market(source_.names());
      for (const weft::received_tick& each : some) {
        ++so_far_.ticks;
        if (!checker_.accept(each.value)) continue;
        prices_.add(each.value);
        book_.roll(prices_);
        co_await inbox_.push(each.value);
      }
    }
    inbox_.close();
  }

  weft::task<risk::figures> assess(weft::market_prices now) {
    risk::situation situation = situation_of(prices_, book_);
    for (const auto& [symbol, price] : now.of) {
      if (symbol < situation.prices.size()) situation.prices[symbol] = price;
    }
    return pool_.run([this](const risk::situation& of) { return risk::assess(of, chosen_); },
                     std::move(situation));
  }

  weft::task<> follow() {
    for (;;) {
      auto update = co_await engine_.next();
      if (!update) co_return;
      failure_ = update->error;
      if (failure_) {
        ++so_far_.failures;
        continue;
      }
      ++so_far_.updates;
      so_far_.age = update->age;
      if (update->source == weft::price_source::fresh)
        ages_.push_back(static_cast<double>(update->age.count()) / 1e6);
      last_ = std::move(*update->result);
      const auto now = steady_clock::now();
      if (!live_ || now - shown_ < between_tables) continue;
      shown_ = now;
      show();
    }
  }

  void show() {
    const weft::tick_counts counts = checker_.counts();
    so_far_.refused = counts.bad_prices + counts.repeated + counts.late + source_.refused();
    so_far_.missing = std::max(counts.missing, source_.missing());
    so_far_.note = source_.note();
    const std::string text = table(prices_, last_, so_far_);
    if (live_ && lines_ > 0) fmt::print("\x1b[{}F\x1b[J", lines_);
    lines_ = std::count(text.begin(), text.end(), '\n');
    fmt::print("{}", text);
    std::fflush(stdout);
  }

  risk::options chosen_;
  risk::feed source_;
  weft::tick_inbox arrived_;
  weft::tick_inbox inbox_;
  weft::tick_checker checker_;
  risk::market prices_{{}};
  risk::book book_;
  weft::thread_pool pool_{1};
  weft::risk_engine<risk::figures> engine_;
  bool live_;
  risk::figures last_{};
  risk::progress so_far_;
  std::vector<double> ages_;
  std::exception_ptr failure_;  // of the last simulation
  steady_clock::time_point shown_;
  std::ptrdiff_t lines_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
  int code = 0;
  const std::optional<risk::options> chosen = risk::parse(count, arguments, code);
  if (!chosen) return code;
  try {
    session all(*chosen);
    weft::run(all.run());
    all.report();
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "risk: {}\n", error.what());
    return 1;
  }
}
