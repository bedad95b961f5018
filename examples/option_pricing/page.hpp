#pragma once

#include <weft/market/estimate.hpp>

#include <optional>
#include <string>
#include <vector>

namespace option_pricing {

/// What one place found out.
struct series {
  std::string place;
  std::vector<weft::estimate> estimates;  ///< with more and more paths
  double seconds = 0.0;                   ///< of the last one
  double steps_per_second = 0.0;          ///< of the last one
};

/// Writes the estimates and their intervals over the number of paths as a page that needs nothing else.
/// Throws weft::io_error.
void write_page(const std::string& path, const std::string& title, const std::vector<series>& all,
                std::optional<double> formula);

}  // namespace option_pricing
