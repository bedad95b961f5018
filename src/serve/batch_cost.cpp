#include <weft/serve/detail/batch_cost.hpp>

namespace weft::detail {

void batch_cost::add(std::size_t count, double seconds) noexcept {
  const auto n = static_cast<double>(count);
  weight_ = memory * weight_ + 1;
  count_ = memory * count_ + n;
  count_squared_ = memory * count_squared_ + n * n;
  time_ = memory * time_ + seconds;
  count_time_ = memory * count_time_ + n * seconds;
}

double batch_cost::seconds(std::size_t count) const noexcept {
  const line cost = fit();
  return cost.fixed + static_cast<double>(count) * cost.each;
}

double batch_cost::fixed() const noexcept {
  return fit().fixed;
}

batch_cost::line batch_cost::fit() const noexcept {
  if (weight_ == 0) return {0, 0};
  const double spread = weight_ * count_squared_ - count_ * count_;
  // Sizes that hardly differ say nothing about how the cost divides.
  if (spread <= 1e-6 * weight_ * count_squared_) return {0, time_ / count_};
  const double each = (weight_ * count_time_ - count_ * time_) / spread;
  if (each < 0) return {time_ / weight_, 0};
  const double fixed = (time_ - each * count_) / weight_;
  if (fixed < 0) return {0, time_ / count_};
  return {fixed, each};
}

}  // namespace weft::detail
