#pragma once

#include <weft/core/error.hpp>

#include <cmath>    // for std::isfinite
#include <cstdint>  // for std::int32_t, std::int64_t
#include <limits>   // for std::numeric_limits
#include <string>   // for std::string, std::to_string

namespace weft::detail {

/// Throws invalid_argument unless it holds.
inline void require(bool holds, const std::string& who, const std::string& field, double value,
                    const char* allowed) {
  if (holds && std::isfinite(value)) return;
  throw invalid_argument(who + ": " + field + " is " + std::to_string(value) + ", it must be " + allowed);
}

/// Throws invalid_argument unless there is a step, and a number of 32 bits for each.
inline void require_steps(const std::string& who, std::int64_t steps) {
  if (steps < 1 || steps > std::numeric_limits<std::int32_t>::max()) {
    throw invalid_argument(who + ": steps is " + std::to_string(steps) + ", it must be 1 to 2147483647");
  }
}

}  // namespace weft::detail
