#pragma once

#include <weft/core/philox.hpp>

#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::int32_t, std::int64_t, std::uint16_t, std::uint64_t
#include <memory>   // for std::shared_ptr
#include <span>     // for std::span
#include <vector>   // for std::vector

namespace weft {

namespace detail {

/// An epoch's order that is more than a permutation of all samples.
class computed_order {
 public:
  computed_order() = default;
  computed_order(const computed_order&) = delete;
  computed_order& operator=(const computed_order&) = delete;
  virtual ~computed_order() = default;
  virtual std::int64_t at(std::int64_t position) const = 0;
};

class alias_table;
class group_plan;
struct length_plan;

}  // namespace detail

/// The samples of one epoch in their order, each computed when it is asked for, so an epoch can be entered
/// anywhere at once.
///
/// Thread safety: distinct and shared objects are safe.
class epoch_order {
 public:
  /// No samples.
  epoch_order() = default;

  /// The number of samples.
  std::int64_t size() const noexcept { return count_; }

  /// Which sample comes at this position, in [0, size()), not checked. Throws std::bad_alloc where a part of
  /// an order by groups or lengths is made.
  std::int64_t operator[](std::int64_t position) const {
    if (!table_.empty()) return table_[static_cast<std::size_t>(position)];
    if (computed_) return computed_->at(position);
    return shuffles_ ? permuted(position) : position;
  }

 private:
  friend class sampler;

  epoch_order(std::int64_t count, bool shuffles, const philox& random);
  epoch_order(std::int64_t count, std::shared_ptr<const detail::computed_order> computed);
  std::int64_t permuted(std::int64_t position) const noexcept;

  std::int64_t count_ = 0;
  bool shuffles_ = false;
  philox random_{0};
  std::uint64_t rows_ = 0;            // the network's two halves: rows_ * columns_ >= count_
  std::uint64_t columns_ = 0;         // 0 unless there is no table
  std::vector<std::uint16_t> table_;  // of a small set
  std::shared_ptr<const detail::computed_order> computed_;
};

/// The orders of a data set's epochs: in each, every sample exactly once, by index, unless it is weighted()
/// or grouped() with shares.
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

  /// Every epoch another permutation. Up to 65,536 samples each is as likely as any other, up to a bias below
  /// count / 2^64 (Fisher and Yates' shuffle in Durstenfeld's form, 1964), and an epoch_order holds a table
  /// of two bytes a sample. Above, a permutation is a Feistel network of eight rounds over [0, rows *
  /// columns), walked until it is in [0, count) (Black and Rogaway, "Ciphers with arbitrary finite domains",
  /// 2002): no table, but only 2^64 of the permutations for a given epoch, one a seed.
  ///
  /// @param count the number of samples
  /// @param seed  the experiment's seed
  /// @throws invalid_argument if count is negative
  static sampler shuffled(std::int64_t count, std::uint64_t seed);

  /// Every epoch so many samples as there are weights, each drawn on its own with a probability in proportion
  /// to its weight: some come several times, others not at all. With the reciprocal of the size of its class
  /// as a sample's weight, classes come equally often. Memory: 16 bytes a sample.
  ///
  /// @param weights one a sample, not negative; @param seed the experiment's seed
  /// @throws invalid_argument if a weight is negative or not finite, or if all are 0
  static sampler weighted(std::span<const double> weights, std::uint64_t seed);

  /// Every epoch the groups in constant proportion: of the first p samples, less than one more or less than
  /// p times its share is of a group, so a batch has less than two too many or too few of it. Groups are
  /// classes (stratified batches), sources that are mixed, or anything else. Each group has an order of its
  /// own, shuffled anew whenever it has been gone through.
  ///
  /// Without shares they are the groups' sizes, and an epoch holds every sample once. With others an epoch is
  /// as long, a group of a larger share comes several times, and of one with a smaller share the next epoch
  /// goes on where this one ended: over the epochs, no sample of a group comes twice more than another.
  ///
  /// Memory: 20 bytes a sample, and two bytes for each that was asked for in groups of up to 65,536.
  ///
  /// @param groups one a sample, from 0; @param shares one a group, not negative, or none
  /// @param shuffle whether samples of a group are shuffled, or in the order of their indices
  /// @param seed the experiment's seed
  /// @throws invalid_argument if a group is negative, if a share is negative or not finite, if there is not
  /// one
  ///         a group, if all are 0, or if a group that has a share has no sample
  static sampler grouped(std::span<const std::int32_t> groups, std::span<const double> shares, bool shuffle,
                         std::uint64_t seed);

  /// The same epochs with samples of similar length together, so that batches need little padding: of every
  /// `window` batches the samples are sorted by length and cut into batches, whose order is shuffled if the
  /// samples' order is. The samples that do not fill a batch are the last ones of the epoch, of any length.
  /// Memory: 8 bytes a sample, and 8 for each that was asked for.
  ///
  /// @param lengths one a sample; @param batch_size how many samples make a batch, at least 1
  /// @param window how many batches are sorted together, at least 1: more of them need less padding and are
  ///        less random
  /// @throws invalid_argument if a number is too small, or if there is not one length a sample
  sampler by_length(std::span<const std::int64_t> lengths, std::int64_t batch_size,
                    std::int64_t window) const;

  /// The number of samples, which is the length of every epoch.
  std::int64_t count() const noexcept { return count_; }

  /// The order of one epoch. Time and memory do not grow with count() beyond 65,536; those of an order by
  /// lengths or groups are taken where it is asked for a position.
  epoch_order order(std::uint64_t number) const;

  /// The indices of one epoch, in order, as an array: what order() gives. Time and memory are proportional to
  /// count().
  std::vector<std::int64_t> epoch(std::uint64_t number) const;

 private:
  sampler(std::int64_t count, bool shuffles, std::uint64_t seed);

  std::int64_t count_;
  bool shuffles_;
  std::uint64_t seed_;
  std::shared_ptr<const detail::alias_table> weights_;
  std::shared_ptr<const detail::group_plan> groups_;
  std::shared_ptr<const detail::length_plan> lengths_;
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
