#pragma once

#include <cstdint>  // for std::int64_t

namespace weft::detail {

/// Paths are simulated, and their moments joined, in parts of so many, whoever simulates them.
inline constexpr std::int64_t paths_in_part = 4096;

/// Means and central second moments of what paths pay (x) and of their control variate (y).
struct path_moments {
  double count = 0.0;
  double mean_x = 0.0, mean_y = 0.0;
  double xx = 0.0, yy = 0.0, xy = 0.0;
};

/// Paths [begin, end); begin is a multiple of paths_in_part.
struct path_range {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  std::int64_t parts() const { return (end - begin + paths_in_part - 1) / paths_in_part; }
};

}  // namespace weft::detail
