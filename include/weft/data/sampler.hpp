#pragma once

#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::int64_t, std::uint64_t
#include <span>     // for std::span
#include <vector>   // for std::vector

namespace weft {

/// The order of an epoch: each sample of a data set exactly once, by index.
///
/// The order is a pure function of the number of samples, the seed and the epoch, computed with weft::philox:
/// it does not depend on threads, on what was drawn before, or on the machine.
///
/// Thread safety: immutable, so distinct and shared objects are safe.
class sampler {
 public:
  /// Every epoch 0, 1, 2, ...
  ///
  /// @param count the number of samples
  /// @throws invalid_argument if count is negative
  static sampler sequential(std::int64_t count);

  /// Every epoch another permutation, each as likely as any other up to a bias below count / 2^64 (Fisher and
  /// Yates' shuffle in Durstenfeld's form, 1964).
  ///
  /// @param count the number of samples
  /// @param seed  the experiment's seed
  /// @throws invalid_argument if count is negative
  static sampler shuffled(std::int64_t count, std::uint64_t seed);

  /// The number of samples, which is the length of every epoch.
  std::int64_t count() const noexcept { return count_; }

  /// The indices of one epoch, in order. Time and memory are proportional to count().
  std::vector<std::int64_t> epoch(std::uint64_t number) const;

 private:
  sampler(std::int64_t count, bool shuffles, std::uint64_t seed);

  std::int64_t count_;
  bool shuffles_;
  std::uint64_t seed_;
};

/// An order cut into batches of equal size, the last one smaller unless it is dropped. It borrows nothing:
/// the order is its own.
///
/// Thread safety: immutable, so distinct and shared objects are safe.
class batch_order {
 public:
  /// @param order      the indices of an epoch
  /// @param batch_size how many go into a batch, at least 1
  /// @param drop_last  whether a last batch that is not full is left out
  /// @throws invalid_argument if batch_size is below 1
  batch_order(std::vector<std::int64_t> order, std::int64_t batch_size, bool drop_last = false);

  /// The number of batches.
  std::int64_t size() const noexcept { return batches_; }

  /// The indices of one batch. @param index which batch, in [0, size()), not checked
  std::span<const std::int64_t> operator[](std::int64_t index) const noexcept;

 private:
  std::vector<std::int64_t> order_;
  std::int64_t batch_size_;
  std::int64_t batches_;
};

}  // namespace weft
