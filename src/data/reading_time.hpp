#pragma once

#include <chrono>   // for std::chrono::steady_clock
#include <cstdint>  // for std::int64_t

namespace weft {

/// What this thread has spent reading files, in nanoseconds.
std::int64_t& reading_nanoseconds() noexcept;

/// Counts the time of its life as reading.
class reading_time {
 public:
  reading_time() = default;
  reading_time(const reading_time&) = delete;
  reading_time& operator=(const reading_time&) = delete;
  ~reading_time() {
    const auto taken = std::chrono::steady_clock::now() - since_;
    reading_nanoseconds() += std::chrono::duration_cast<std::chrono::nanoseconds>(taken).count();
  }

 private:
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

}  // namespace weft
