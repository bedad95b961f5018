#include "market.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace risk {
namespace {

constexpr double decay = 0.97;
constexpr std::size_t most_points = 4000;

}  // namespace

double years(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count() / (365.25 * 86400.0);
}

market::market(std::vector<std::string> names) {
  if (names.size() > most_symbols) {
    left_out_ = names.size() - most_symbols;
    names.resize(most_symbols);
  }
  for (std::string& each : names) {
    record made;
    made.name = std::move(each);
    symbols_.push_back(std::move(made));
  }
  covariance_.resize(symbols_.size() * symbols_.size());
}

void market::add(const weft::tick& next) {
  if (next.symbol >= symbols_.size()) return;
  if (next.time != time_) end_of_time();
  time_ = next.time;
  record& own = symbols_[next.symbol];
  if (own.price > 0.0) {
    own.move += std::log(next.price / own.price);
    own.elapsed += years(next.time - own.time);
  }
  own.price = next.price;
  own.time = next.time;
  keep(own, {years(next.time), next.price});
}

void market::end_of_time() {
  const std::size_t count = symbols_.size();
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < count; ++j) {
      double& at = covariance_[i * count + j];
      at = decay * at + (1.0 - decay) * symbols_[i].move * symbols_[j].move;
    }
  }
  for (record& each : symbols_) {
    each.weighted_elapsed = decay * each.weighted_elapsed + (1.0 - decay) * each.elapsed;
    if (each.elapsed > 0.0) ++each.moves;
    each.move = each.elapsed = 0.0;
  }
}

double market::volatility(std::size_t symbol) const {
  const double elapsed = symbols_[symbol].weighted_elapsed;
  return elapsed > 0.0 ? std::sqrt(covariance_[symbol * size() + symbol] / elapsed) : 0.0;
}

std::vector<double> market::correlation() const {
  const std::size_t count = size();
  std::vector<double> result(count * count);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < count; ++j) {
      const double scale = std::sqrt(covariance_[i * count + i] * covariance_[j * count + j]);
      // A little below what was seen, so that the matrix is positive definite.
      if (scale > 0.0) result[i * count + j] = 0.999 * covariance_[i * count + j] / scale;
    }
    result[i * count + i] = 1.0;
  }
  return result;
}

void market::keep(record& of, point last) {
  if (of.skipped + 1 < of.every) {
    ++of.skipped;
    return;
  }
  of.skipped = 0;
  of.history.push_back(last);
  if (of.history.size() < most_points) return;
  for (std::size_t i = 0; i < most_points / 2; ++i) of.history[i] = of.history[2 * i];
  of.history.resize(most_points / 2);
  of.every *= 2;
}

std::string printable(const std::string& text, std::size_t most) {
  std::string result = text.substr(0, most);
  std::replace_if(
      result.begin(), result.end(), [](char each) { return each < ' ' || each > '~'; }, '?');
  return result;
}

}  // namespace risk
