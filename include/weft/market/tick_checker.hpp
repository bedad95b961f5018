#pragma once

#include <weft/market/tick.hpp>

#include <chrono>         // for std::chrono::nanoseconds
#include <cstdint>        // for std::uint32_t, std::uint64_t
#include <unordered_map>  // for std::unordered_map

namespace weft {

/// What a tick_checker has seen.
struct tick_counts {
  /// Ticks that were let through.
  std::uint64_t accepted = 0;
  /// Refused: the price is not a number above 0.
  std::uint64_t bad_prices = 0;
  /// Refused: the sequence number is not above the latest one.
  std::uint64_t repeated = 0;
  /// Refused: the time is before the latest one.
  std::uint64_t late = 0;
  /// Sequence numbers that were left out between ticks that were let through.
  std::uint64_t missing = 0;
};

/// Tells the ticks that can be used from those that repeat, go back in time or have no price, and counts
/// both, for each symbol.
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class tick_checker {
 public:
  /// Whether the tick can be used; it is counted in any case.
  bool accept(const tick& next);

  /// Of all symbols.
  const tick_counts& counts() const noexcept { return all_; }
  /// Of one symbol; zeros for one that has not been seen.
  tick_counts counts(std::uint32_t symbol) const;

 private:
  struct record {
    std::uint64_t sequence = 0;
    std::chrono::nanoseconds time = std::chrono::nanoseconds::min();
    tick_counts counts;
  };

  std::unordered_map<std::uint32_t, record> symbols_;
  tick_counts all_;
};

}  // namespace weft
