#pragma once

#include <weft/market/tick.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace risk {

/// How many symbols of a feed are looked at, the first ones.
constexpr std::size_t most_symbols = 16;

/// A price and when it was, in years since 1970.
struct point {
  double time = 0.0;
  double price = 0.0;
};

double years(std::chrono::nanoseconds time);

/// What the prices so far say of each symbol: the last price, the volatility, how they move together.
///
/// Variances and covariances are exponentially weighted, without a mean ("RiskMetrics - Technical document",
/// J. P. Morgan and Reuters, 1996). A symbol without a price at a time that others have one for has not moved
/// then, so the matrix is never negative definite.
class market {
 public:
  explicit market(std::vector<std::string> names);

  void add(const weft::tick& next);

  std::size_t size() const { return symbols_.size(); }
  /// How many symbols the feed names beyond those.
  std::size_t left_out() const { return left_out_; }
  const std::string& name(std::size_t symbol) const { return symbols_[symbol].name; }
  double price(std::size_t symbol) const { return symbols_[symbol].price; }
  /// Of a year.
  double volatility(std::size_t symbol) const;
  /// Whether it has moved often enough for that.
  bool known(std::size_t symbol) const { return symbols_[symbol].moves >= 10; }
  /// A row for each symbol.
  std::vector<double> correlation() const;
  /// Of the last price.
  std::chrono::nanoseconds time() const { return time_; }
  /// Not all of them: where there are many, every second, fourth, ... one.
  const std::vector<point>& history(std::size_t symbol) const { return symbols_[symbol].history; }

 private:
  struct record {
    std::string name;
    double price = 0.0;
    std::chrono::nanoseconds time{0};
    double move = 0.0;     // of the logarithm, at the present time
    double elapsed = 0.0;  // in years, for that move
    double weighted_elapsed = 0.0;
    std::int64_t moves = 0;
    std::vector<point> history;
    std::size_t every = 1;
    std::size_t skipped = 0;
  };

  void end_of_time();
  static void keep(record& of, point last);

  std::vector<record> symbols_;
  std::size_t left_out_ = 0;
  std::vector<double> covariance_;  // of moves, weighted
  std::chrono::nanoseconds time_{0};
};

/// Text without what moves a terminal's cursor, and not more of it than that.
std::string printable(const std::string& text, std::size_t most = 24);

}  // namespace risk
