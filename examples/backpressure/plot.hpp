#pragma once

#include <string>
#include <vector>

namespace backpressure {

/// What the program looked like at one moment.
struct sample {
  double seconds = 0.0;    ///< since the start
  double megabytes = 0.0;  ///< resident memory of the process
  double queued = 0.0;     ///< blocks in the queue
};

/// One series as a line of block characters, `width` of them, scaled from 0 to its maximum.
std::string sparkline(const std::vector<double>& values, std::size_t width);

/// Writes memory and queue length over time as an SVG picture. Throws weft::io_error.
void write_svg(const std::string& path, const std::vector<sample>& samples, std::size_t capacity);

}  // namespace backpressure
