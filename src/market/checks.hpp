#pragma once

#include <weft/core/error.hpp>

#include <cmath>    // for std::isfinite
#include <cstdint>  // for std::int64_t
#include <string>   // for std::string, std::to_string

namespace weft::detail {

/// Throws invalid_argument unless it holds.
inline void require(bool holds, const std::string& who, const std::string& field, double value,
                    const char* allowed) {
  if (holds && std::isfinite(value)) return;
  throw invalid_argument(who + ": " + field + " is " + std::to_string(value) + ", it must be " + allowed);
}

/// Throws invalid_argument unless there is at least one step.
inline void require_steps(const std::string& who, std::int64_t steps) {
  if (steps < 1) {
    throw invalid_argument(who + ": steps is " + std::to_string(steps) + ", it must be at least 1");
  }
}

}  // namespace weft::detail
