#pragma once

#include <weft/core/error.hpp>

#include <string>  // for std::string, std::to_string

namespace weft::detail {

/// Throws invalid_argument, naming kernel, option, value and range, unless the value is in its range.
inline void require_range(const char* kernel, const char* option, double value, bool holds,
                          const char* range) {
  if (holds) return;
  throw invalid_argument(std::string(kernel) + ": " + option + " is " + std::to_string(value) +
                         ": it must be " + range);
}

}  // namespace weft::detail
