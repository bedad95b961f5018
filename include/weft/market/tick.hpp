#pragma once

#include <chrono>   // for std::chrono::nanoseconds
#include <cstdint>  // for std::uint32_t, std::uint64_t

namespace weft {

/// A price that a feed sends.
struct tick {
  /// Which instrument, by the feed's numbers.
  std::uint32_t symbol = 0;
  /// The number of this tick among those of its symbol, from 1; 0 if the feed does not count.
  std::uint64_t sequence = 0;
  /// When it was made, by the feed's clock, since any moment that the feed chose.
  std::chrono::nanoseconds time{0};
  /// The price.
  double price = 0.0;
};

/// A tick and when it came.
struct received_tick {
  /// What came.
  tick value;
  /// When, by this machine's clock.
  std::chrono::steady_clock::time_point received;
};

}  // namespace weft
