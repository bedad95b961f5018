#include <weft/observe/histogram.hpp>

#include <fmt/format.h>

#include <algorithm>  // for std::clamp
#include <cmath>      // for std::isfinite
#include <limits>     // for std::numeric_limits
#include <new>        // for std::bad_alloc

#include <weft/core/error.hpp>
#include "observe/thread_slots.hpp"

namespace weft {
namespace {

constexpr int mantissa_bits = 52;

detail::histogram_layout make_layout(const histogram_options& options) {
  if (!(options.lowest >= std::numeric_limits<double>::min() && std::isfinite(options.lowest))) {
    throw invalid_argument(
        fmt::format("histogram: lowest is {}, but must be a positive finite number", options.lowest));
  }
  if (!(options.highest > options.lowest && std::isfinite(options.highest))) {
    throw invalid_argument(fmt::format("histogram: highest is {}, but must be finite and above lowest, {}",
                                       options.highest, options.lowest));
  }
  if (!(options.relative_error >= 1e-4 && options.relative_error <= 0.25)) {
    throw invalid_argument(fmt::format("histogram: relative_error is {}, but must be in [0.0001, 0.25]",
                                       options.relative_error));
  }
  // A bucket's middle is at most half its width away, and its width is 2^-bits of the power of two it lies
  // in.
  const int bits = static_cast<int>(std::ceil(-std::log2(2 * options.relative_error)));
  detail::histogram_layout layout;
  layout.shift = static_cast<std::uint32_t>(mantissa_bits - bits);
  layout.first = std::bit_cast<std::uint64_t>(options.lowest) >> layout.shift;
  layout.lowest = layout.lower_bound(0);
  layout.highest = options.highest;
  const std::uint64_t last = std::bit_cast<std::uint64_t>(options.highest) >> layout.shift;
  layout.buckets = static_cast<std::uint32_t>(last - layout.first + 1);
  return layout;
}

}  // namespace

double histogram_snapshot::quantile(double q) const {
  if (!(q >= 0 && q <= 1)) {
    throw invalid_argument(fmt::format("histogram: the quantile {} is not in [0, 1]", q));
  }
  if (count_ == 0) return std::numeric_limits<double>::quiet_NaN();
  const auto rank = std::max<std::uint64_t>(
      1, std::min(count_, static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count_)))));
  // The extremes are known exactly, and are all that is known of what lies outside the buckets.
  if (rank == 1 || rank <= below_) return min_;
  if (rank > count_ - std::max<std::uint64_t>(above_, 1)) return max_;
  std::uint64_t seen = below_;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= rank) {
      const double middle = (layout_.lower_bound(i) + layout_.lower_bound(i + 1)) / 2;
      return std::clamp(middle, min_, max_);
    }
  }
  return max_;
}

void histogram_snapshot::merge(const histogram_snapshot& other) {
  if (layout_ != other.layout_) {
    throw invalid_argument(
        fmt::format("histogram: cannot merge {} buckets from {} with {} from {}: give both the same options",
                    other.layout_.buckets, other.layout_.lowest, layout_.buckets, layout_.lowest));
  }
  if (other.count_ != 0) {
    min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
    max_ = count_ == 0 ? other.max_ : std::max(max_, other.max_);
  }
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    counts_[i] += other.counts_[i];
  }
  count_ += other.count_;
  below_ += other.below_;
  above_ += other.above_;
  rejected_ += other.rejected_;
  sum_ += other.sum_;
}

std::vector<histogram_snapshot::bucket> histogram_snapshot::buckets() const {
  std::vector<bucket> result;
  if (below_ != 0) result.push_back({min_, layout_.lowest, below_});
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] != 0) result.push_back({layout_.lower_bound(i), layout_.lower_bound(i + 1), counts_[i]});
  }
  if (above_ != 0) result.push_back({layout_.highest, max_, above_});
  return result;
}

histogram::histogram(histogram_options options)
    : layout_(make_layout(options)), slot_(detail::acquire_slot(this)) {}

histogram::~histogram() {
  detail::release_slot(slot_);
}

double histogram::relative_error() const noexcept {
  return std::ldexp(0.5, static_cast<int>(layout_.shift) - mantissa_bits);
}

histogram_snapshot histogram::snapshot() const {
  histogram_snapshot result;
  result.layout_ = layout_;
  result.counts_.resize(layout_.buckets);
  double smallest = std::numeric_limits<double>::infinity();
  double largest = -smallest;
  const auto lock = detail::lock_slots();
  for (const auto& shard : shards_) {
    for (std::size_t i = 0; i < layout_.buckets; ++i) {
      const std::uint64_t count = shard->counts[i].load(std::memory_order_relaxed);
      result.counts_[i] += count;
      result.count_ += count;
    }
    result.below_ += shard->below.load(std::memory_order_relaxed);
    result.above_ += shard->above.load(std::memory_order_relaxed);
    result.rejected_ += shard->rejected.load(std::memory_order_relaxed);
    result.sum_ += shard->sum.load(std::memory_order_relaxed);
    smallest = std::min(smallest, shard->smallest.load(std::memory_order_relaxed));
    largest = std::max(largest, shard->largest.load(std::memory_order_relaxed));
  }
  result.rejected_ += lost_.load(std::memory_order_relaxed);
  result.count_ += result.below_ + result.above_;
  const double none = std::numeric_limits<double>::quiet_NaN();
  result.min_ = result.count_ == 0 ? none : smallest;
  result.max_ = result.count_ == 0 ? none : largest;
  return result;
}

void histogram::retire(std::uint64_t cell) noexcept {
  reinterpret_cast<detail::histogram_shard*>(cell)->owned = false;
}

// The caller holds the mutex of the slots.
detail::histogram_shard* histogram::adopt_shard() {
  for (const auto& shard : shards_) {
    if (!shard->owned) return shard.get();
  }
  shards_.push_back(std::make_unique<detail::histogram_shard>(layout_.buckets));
  detail::histogram_shard* shard = shards_.back().get();
  shard->smallest.store(std::numeric_limits<double>::infinity(), std::memory_order_relaxed);
  shard->largest.store(-std::numeric_limits<double>::infinity(), std::memory_order_relaxed);
  return shard;
}

void histogram::record_slowly(double value) noexcept {
  const detail::slot_table& table = detail::this_thread_slots;
  std::uint64_t cell = slot_ < table.size ? table.cells[slot_].load(std::memory_order_relaxed) : 0;
  std::unique_lock<std::mutex> lock;
  if (cell == 0) {
    lock = detail::lock_slots();
    try {
      detail::histogram_shard* shard = adopt_shard();
      cell = reinterpret_cast<std::uint64_t>(shard);
      if (detail::reserve_cell(slot_)) {
        shard->owned = true;
        table.cells[slot_].store(cell, std::memory_order_relaxed);
        lock.unlock();
      }  // else this thread is ending: it borrows the shard while it holds the mutex
    } catch (const std::bad_alloc&) {
      lost_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
  }
  auto& shard = *reinterpret_cast<detail::histogram_shard*>(cell);
  if (!std::isfinite(value)) {
    detail::add_alone<std::uint64_t>(shard.rejected, 1);
    return;
  }
  if (value < layout_.lowest) {
    detail::add_alone<std::uint64_t>(shard.below, 1);
  } else if (value > layout_.highest) {
    detail::add_alone<std::uint64_t>(shard.above, 1);
  } else {
    const std::uint64_t bucket = (std::bit_cast<std::uint64_t>(value) >> layout_.shift) - layout_.first;
    detail::add_alone<std::uint64_t>(shard.counts[bucket], 1);
  }
  detail::add_alone(shard.sum, value);
  shard.smallest.store(std::min(value, shard.smallest.load(std::memory_order_relaxed)),
                       std::memory_order_relaxed);
  shard.largest.store(std::max(value, shard.largest.load(std::memory_order_relaxed)),
                      std::memory_order_relaxed);
}

}  // namespace weft
