#pragma once

#include <cstddef>  // for std::size_t

namespace weft::detail {

/// What a batch of n requests costs: fixed + n * each seconds, fitted to the batches seen by least squares in
/// which older ones count ever less.
///
/// Thread safety: distinct objects safe.
class batch_cost {
 public:
  /// A batch of `count` requests took that long.
  void add(std::size_t count, double seconds) noexcept;

  /// What a batch of `count` requests will take; 0 while none has been seen.
  double seconds(std::size_t count) const noexcept;

  /// The part that does not grow with the batch: what two requests save that share one. 0 while all batches
  /// seen had one size.
  double fixed() const noexcept;

 private:
  static constexpr double memory = 0.98;  // the weight that is left of a batch after the next one

  struct line {
    double fixed;
    double each;
  };
  line fit() const noexcept;

  double weight_ = 0;
  double count_ = 0;
  double count_squared_ = 0;
  double time_ = 0;
  double count_time_ = 0;
};

}  // namespace weft::detail
