#pragma once

#include <weft/market/tick.hpp>

#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::uint32_t, std::uint64_t, std::int64_t

namespace weft::detail {

/// A tick as it lies in files and in frames.
struct stored_tick {
  std::uint32_t symbol;
  std::uint32_t unused;
  std::uint64_t sequence;
  std::int64_t time;
  double price;
};
static_assert(sizeof(stored_tick) == 32);

inline stored_tick stored(const tick& value) noexcept {
  return {value.symbol, 0, value.sequence, value.time.count(), value.price};
}

inline tick loaded(const stored_tick& value) noexcept {
  return {value.symbol, value.sequence, std::chrono::nanoseconds(value.time), value.price};
}

/// How many refused ticks a source of ticks keeps, the first of them.
inline constexpr std::size_t most_refusals = 100;

}  // namespace weft::detail
