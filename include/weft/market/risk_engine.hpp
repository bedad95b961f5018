#pragma once

#include <weft/async/task.hpp>
#include <weft/async/timeout.hpp>
#include <weft/core/error.hpp>
#include <weft/market/tick_checker.hpp>
#include <weft/market/tick_inbox.hpp>

#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>

#include <chrono>         // for std::chrono::nanoseconds
#include <cstddef>        // for std::size_t
#include <cstdint>        // for std::uint8_t, std::uint32_t
#include <exception>      // for std::exception_ptr
#include <functional>     // for std::function
#include <optional>       // for std::optional
#include <string>         // for std::string, std::to_string
#include <unordered_map>  // for std::unordered_map
#include <utility>        // for std::move
#include <vector>         // for std::vector

namespace weft {

/// Where the prices of a simulation came from.
enum class price_source : std::uint8_t {
  fresh,   ///< at least one came since the simulation before
  last,    ///< none came in time: the last ones
  neutral  ///< none has ever come: there are none
};

/// The last price of each symbol, as a simulation gets them.
struct market_prices {
  /// By symbol.
  std::unordered_map<std::uint32_t, double> of;
  /// Where they came from.
  price_source source = price_source::neutral;
};

/// What a simulation found out.
template <class Result>
struct risk_update {
  /// What it returned; nothing if it failed.
  std::optional<Result> result;
  /// Why it failed: what it threw, or timeout_error.
  std::exception_ptr error;
  /// Where its prices came from.
  price_source source = price_source::neutral;
  /// How old the newest of its prices was when the simulation had ended, since it came to this machine; 0
  /// if there was none.
  std::chrono::nanoseconds age{0};
  /// How many ticks were taken for it.
  std::size_t ticks = 0;
};

/// How a risk_engine is set up.
struct risk_engine_options {
  /// How long it waits for a tick before it simulates with the last prices, or none; above 0.
  std::chrono::nanoseconds patience = std::chrono::seconds(1);
  /// How long a simulation may take; 0 for as long as it likes.
  std::chrono::nanoseconds simulation_limit{0};
  /// How many ticks it takes at a time, at least 1.
  std::size_t most_ticks = 4096;
};

/// Simulates again and again with the newest prices of an inbox, and survives what feeds and simulations do:
/// ticks that stall, flood, repeat, go back in time or have no price, and simulations that throw or hang.
///
/// A simulation is a coroutine that takes market_prices and gives a Result, mostly by a pool, so that the
/// event loop goes on: `[&](weft::market_prices now) { return pool.run(value_of_book, std::move(now)); }`.
/// One that may hang belongs to a process_pool, which can stop it; a thread's is waited for even beyond the
/// limit.
///
///     while (auto update = co_await engine.next()) publish(*update);
///
/// Thread safety: distinct objects safe; shared objects unsafe: one coroutine awaits next().
/// Cancellation: next() that is cancelled while it waits has taken no tick; while a simulation runs, that is
/// cancelled and joined, and the prices stay known.
template <class Result>
class risk_engine {
 public:
  /// What simulates.
  using simulation = std::function<task<Result>(market_prices)>;

  /// The inbox, where ticks come from, must outlive the engine. Throws invalid_argument if an option
  /// cannot work.
  risk_engine(tick_inbox& inbox, simulation simulate, risk_engine_options options = {})
      : inbox_(inbox), simulate_(std::move(simulate)), options_(options) {
    const auto refuse = [](const char* field, auto value, const char* allowed) {
      throw invalid_argument(std::string("risk_engine: ") + field + " is " + std::to_string(value) +
                             ", it must be " + allowed);
    };
    if (options.patience.count() <= 0) refuse("patience", options.patience.count(), "above 0 ns");
    if (options.simulation_limit.count() < 0) {
      refuse("simulation_limit", options.simulation_limit.count(), "above 0 ns, or 0 for none");
    }
    if (options.most_ticks == 0) refuse("most_ticks", options.most_ticks, "at least 1");
  }

  /// Waits for ticks, simulates, and gives the result; nothing once the inbox is closed and empty. Ticks that
  /// cannot be used are counted and do not count as fresh.
  task<std::optional<risk_update<Result>>> next() {
    risk_update<Result> update;
    const bool open = co_await take_ticks(update);
    if (!open) co_return std::nullopt;
    if (update.ticks == 0) update.source = prices_.empty() ? price_source::neutral : price_source::last;
    bool dropped = false;
    try {
      market_prices now{prices_, update.source};
      task<Result> running = simulate_(std::move(now));
      if (options_.simulation_limit.count() > 0)
        running = timeout(std::move(running), options_.simulation_limit);
      Result found = co_await std::move(running);
      update.result.emplace(std::move(found));
    } catch (const cancelled&) {
      dropped = true;
      update.error = std::current_exception();
    } catch (...) {
      update.error = std::current_exception();
    }
    if (dropped) {
      // By whoever awaits next(), or by the pool alone?
      const auto asked = co_await boost::asio::this_coro::cancellation_state;
      if (asked.cancelled() != boost::asio::cancellation_type::none) std::rethrow_exception(update.error);
    }
    if (!prices_.empty()) update.age = std::chrono::steady_clock::now() - newest_;
    co_return update;
  }

  /// What came, and what was wrong with it.
  const tick_checker& checker() const noexcept { return checker_; }

 private:
  // Until there is one that can be used or the patience is over; false once there will be none.
  task<bool> take_ticks(risk_update<Result>& update) {
    const auto until = std::chrono::steady_clock::now() + options_.patience;
    for (;;) {
      const auto left = until - std::chrono::steady_clock::now();
      if (left.count() <= 0) co_return true;
      std::optional<std::vector<received_tick>> ticks = co_await take_until(left);
      if (!ticks) co_return true;
      if (ticks->empty()) co_return false;
      for (const received_tick& each : *ticks) {
        if (!checker_.accept(each.value)) continue;
        prices_[each.value.symbol] = each.value.price;
        newest_ = each.received;
        ++update.ticks;
      }
      if (update.ticks == 0) continue;
      update.source = price_source::fresh;
      co_return true;
    }
  }

  task<std::optional<std::vector<received_tick>>> take_until(std::chrono::nanoseconds left) {
    task<std::vector<received_tick>> coming = inbox_.pop_some(options_.most_ticks);
    if (inbox_.size() > 0) {  // nobody else takes them
      std::optional<std::vector<received_tick>> ticks = co_await std::move(coming);
      co_return ticks;
    }
    try {
      std::optional<std::vector<received_tick>> ticks = co_await timeout(std::move(coming), left);
      co_return ticks;
    } catch (const timeout_error&) {
      co_return std::nullopt;
    }
  }

  tick_inbox& inbox_;
  simulation simulate_;
  risk_engine_options options_;
  tick_checker checker_;
  std::unordered_map<std::uint32_t, double> prices_;
  std::chrono::steady_clock::time_point newest_;
};

}  // namespace weft
