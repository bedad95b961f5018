#pragma once

#include "book.hpp"
#include "market.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace risk {

/// How the figures came about.
struct progress {
  std::uint64_t updates = 0;
  std::uint64_t failures = 0;  ///< simulations that failed
  std::uint64_t ticks = 0;     ///< that came
  std::uint64_t refused = 0;   ///< of those, that could not be used
  std::uint64_t missing = 0;   ///< that the feed left out
  std::chrono::nanoseconds age{0};
  std::string note;  ///< what is wrong with the feed
};

/// The figures as lines of text.
std::string table(const market& names, const figures& now, const progress& so_far);

/// A day.
std::string day(std::chrono::nanoseconds time);

}  // namespace risk
