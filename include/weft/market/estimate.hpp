#pragma once

#include <cstdint>  // for std::int64_t

namespace weft {

/// Why a simulation ended.
enum class stopped_by {
  paths,         ///< as many as were asked for
  target_error,  ///< the standard error is small enough
  time_budget    ///< the time is over
};

/// What a simulation found out about an expectation.
struct estimate {
  /// The estimate.
  double value = 0.0;
  /// Its standard deviation, as the sample has it.
  double standard_error = 0.0;
  /// The lower end of the interval that holds the truth with the chosen confidence, by the central limit
  /// theorem.
  double low = 0.0;
  /// Its upper end.
  double high = 0.0;
  /// How many samples it is made of; an antithetic one is two paths.
  std::int64_t paths = 0;
  /// Why there are not more.
  stopped_by reason = stopped_by::paths;
};

}  // namespace weft
