#pragma once

#include <chrono>   // for std::chrono::steady_clock
#include <cstdint>  // for std::uint64_t

namespace weft::detail {

/// A monotonic time of unknown unit. On x86-64 the time stamp counter: 8 ns a reading where steady_clock
/// takes 18 (measured on a virtual Xeon), and no system call where the kernel distrusts the counter.
inline std::uint64_t ticks() noexcept {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

/// What the ticks since its construction were worth, measured against the steady clock.
class tick_scale {
 public:
  std::chrono::nanoseconds elapsed() const noexcept { return std::chrono::steady_clock::now() - time_; }

  /// Nanoseconds per tick; better the more time has passed.
  double nanoseconds_per_tick() const noexcept {
    const std::uint64_t now = ticks();
    if (now <= ticks_) return 1.0;
    return static_cast<double>(elapsed().count()) / static_cast<double>(now - ticks_);
  }

 private:
  std::chrono::steady_clock::time_point time_ = std::chrono::steady_clock::now();
  std::uint64_t ticks_ = ticks();
};

}  // namespace weft::detail
