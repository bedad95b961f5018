#pragma once

#include <atomic>   // for std::atomic
#include <bit>      // for std::bit_cast
#include <chrono>   // for std::chrono::duration
#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::uint64_t
#include <memory>   // for std::unique_ptr
#include <vector>   // for std::vector

#include <weft/observe/detail/thread_slots.hpp>

namespace weft {

/// What a histogram covers and how finely; the two together fix its memory.
struct histogram_options {
  /// The smallest value told apart from zero; a positive number.
  double lowest = 1e-9;
  /// The largest value told apart from larger ones.
  double highest = 1e9;
  /// How far a quantile may be from the sample it stands for, as a share of it; in [1e-4, 0.25]. It is
  /// rounded down to the next power of two.
  double relative_error = 1.0 / 64;
};

namespace detail {

// A bucket is the top bits of a double: the exponent and the first few bits of the mantissa. Buckets are
// therefore linear within a power of two and logarithmic over them, and finding one takes a shift and a
// subtraction.
struct histogram_layout {
  double lowest = 0;
  double highest = 0;
  std::uint64_t first = 0;  // the top bits of `lowest`
  std::uint32_t shift = 0;  // how many low bits of the double are dropped
  std::uint32_t buckets = 0;

  bool operator==(const histogram_layout&) const = default;
  double lower_bound(std::size_t bucket) const noexcept {
    return std::bit_cast<double>((first + bucket) << shift);
  }
};

// What one thread has recorded. Written by that thread alone; read by snapshots.
struct histogram_shard {
  explicit histogram_shard(std::uint32_t buckets)
      : counts(std::make_unique<std::atomic<std::uint64_t>[]>(buckets)) {}

  std::unique_ptr<std::atomic<std::uint64_t>[]> counts;
  std::atomic<double> sum{0.0};
  std::atomic<double> smallest;
  std::atomic<double> largest;
  std::atomic<std::uint64_t> below{0};
  std::atomic<std::uint64_t> above{0};
  std::atomic<std::uint64_t> rejected{0};
  bool owned = false;  // by a running thread; guarded by the mutex of the slots
};

template <class T>
void add_alone(std::atomic<T>& cell, T amount) noexcept {
  cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

}  // namespace detail

/// The content of a histogram at one moment: plain values that can be merged, kept and asked for quantiles.
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class histogram_snapshot {
 public:
  /// One bucket that is not empty: how many samples lie in [lower, upper).
  struct bucket {
    /// The smallest value that belongs to the bucket.
    double lower;
    /// The smallest value that belongs to the next one.
    double upper;
    /// How many samples it holds.
    std::uint64_t count;
  };

  /// How many samples were recorded.
  std::uint64_t count() const noexcept { return count_; }
  /// The sum of the samples.
  double sum() const noexcept { return sum_; }
  /// The mean of the samples; NaN when there are none.
  double mean() const noexcept { return sum_ / static_cast<double>(count_); }
  /// The smallest sample, exactly; NaN when there are none.
  double min() const noexcept { return min_; }
  /// The largest sample, exactly; NaN when there are none.
  double max() const noexcept { return max_; }
  /// How many values were refused because they are not finite.
  std::uint64_t rejected() const noexcept { return rejected_; }

  /// The value that a share q of the samples do not exceed: the sample of rank ceil(q * count()), off by at
  /// most the histogram's relative error where that sample lies within [lowest, highest]. Samples outside are
  /// counted with the smallest or the largest one. NaN when there are no samples.
  ///
  /// Throws invalid_argument unless 0 <= q <= 1.
  double quantile(double q) const;

  /// Adds the samples of another snapshot. Throws invalid_argument unless both histograms had the same
  /// options.
  void merge(const histogram_snapshot& other);

  /// The buckets that are not empty, in ascending order; samples below the lowest value come first, as a
  /// bucket that starts at min(), and those above the highest last, as one that ends at max().
  std::vector<bucket> buckets() const;

 private:
  friend class histogram;

  detail::histogram_layout layout_;
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t below_ = 0;
  std::uint64_t above_ = 0;
  std::uint64_t rejected_ = 0;
  double sum_ = 0;
  double min_ = 0;
  double max_ = 0;
};

/// The distribution of a value: latencies, batch sizes, waiting times.
///
/// Buckets are log-linear: each power of two between `lowest` and `highest` is cut into equal parts, enough
/// of them that a quantile is off by at most `relative_error`. With the defaults that is 1,920 buckets, 15
/// KiB, for every thread that is recording at the same time; a thread that ends leaves its buckets to the
/// next. record() writes only to what its own thread owns: no lock, and no cache line shared with another
/// core.
///
/// Thread safety: distinct objects safe; shared objects safe. A histogram must outlive its users.
class histogram final : private detail::slot_owner {
 public:
  /// Throws invalid_argument for options that cannot work, std::bad_alloc.
  explicit histogram(histogram_options options = {});
  ~histogram();
  histogram(const histogram&) = delete;
  histogram& operator=(const histogram&) = delete;

  /// Adds one sample. Values below `lowest` (zero and negative ones too) and above `highest` are counted as
  /// such; a value that is not finite is only counted as rejected. Never blocks, except for a thread's first
  /// use.
  void record(double value) noexcept {
    const detail::slot_table& table = detail::this_thread_slots;
    const std::uint64_t cell = slot_ < table.size ? table.cells[slot_].load(std::memory_order_relaxed) : 0;
    if (cell == 0 || !(value >= layout_.lowest && value <= layout_.highest)) [[unlikely]] {
      record_slowly(value);
      return;
    }
    auto& shard = *reinterpret_cast<detail::histogram_shard*>(cell);
    const std::uint64_t bucket = (std::bit_cast<std::uint64_t>(value) >> layout_.shift) - layout_.first;
    detail::add_alone<std::uint64_t>(shard.counts[bucket], 1);
    detail::add_alone(shard.sum, value);
    if (value < shard.smallest.load(std::memory_order_relaxed)) {
      shard.smallest.store(value, std::memory_order_relaxed);
    }
    if (value > shard.largest.load(std::memory_order_relaxed)) {
      shard.largest.store(value, std::memory_order_relaxed);
    }
  }

  /// Adds one duration, in seconds.
  template <class Rep, class Period>
  void record(std::chrono::duration<Rep, Period> value) noexcept {
    record(std::chrono::duration<double>(value).count());
  }

  /// How far a quantile may be from the sample it stands for, as a share of it: the option, rounded down.
  double relative_error() const noexcept;

  /// All that was recorded before the call, and perhaps some of what is being recorded during it. It takes a
  /// mutex and visits every bucket. Throws std::bad_alloc.
  histogram_snapshot snapshot() const;

 private:
  void retire(std::uint64_t cell) noexcept override;
  void record_slowly(double value) noexcept;
  detail::histogram_shard* adopt_shard();

  detail::histogram_layout layout_;
  std::vector<std::unique_ptr<detail::histogram_shard>> shards_;  // guarded by the mutex of the slots
  std::atomic<std::uint64_t> lost_{0};
  std::uint32_t slot_;
};

}  // namespace weft
