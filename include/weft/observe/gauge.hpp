#pragma once

#include <atomic>  // for std::atomic

namespace weft {

/// A value that goes up and down: the depth of a queue, the memory in use.
///
/// One atomic: set() is a plain store, the last one wins. add() is a read-modify-write that threads contend
/// for; a value that many threads only add to belongs in a counter.
///
/// Thread safety: distinct objects safe; shared objects safe.
class gauge {
 public:
  gauge() = default;
  gauge(const gauge&) = delete;
  gauge& operator=(const gauge&) = delete;

  /// Replaces the value.
  void set(double value) noexcept { value_.store(value, std::memory_order_relaxed); }
  /// Adds amount, which may be negative.
  void add(double amount) noexcept { value_.fetch_add(amount, std::memory_order_relaxed); }
  /// The latest value.
  double value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0.0};
};

}  // namespace weft
