#pragma once

#include <chrono>  // for std::chrono::steady_clock

namespace weft {

/// Measures time from its construction, or from the last restart, on the monotonic clock.
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class stopwatch {
 public:
  /// The clock that it reads.
  using clock = std::chrono::steady_clock;

  /// The time since the start.
  clock::duration elapsed() const noexcept { return clock::now() - start_; }
  /// The time since the start, in seconds.
  double seconds() const noexcept { return std::chrono::duration<double>(elapsed()).count(); }

  /// Starts again from zero and returns the time up to now: laps lose no time between them.
  clock::duration restart() noexcept {
    const clock::time_point now = clock::now();
    const clock::duration lap = now - start_;
    start_ = now;
    return lap;
  }

 private:
  clock::time_point start_ = clock::now();
};

}  // namespace weft
