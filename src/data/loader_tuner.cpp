#include <weft/data/detail/loader_tuner.hpp>

#include <algorithm>  // for std::max, std::min

namespace weft::detail {
namespace {

constexpr double starved = 0.05;  // share of the time that the caller waits
constexpr double fed = 0.01;
constexpr int calm_periods = 4;
constexpr double much_reading = 0.25;  // share of the time in the source

}  // namespace

loader_tuner::loader_tuner(const loader_tuning& most)
    : most_(most), chosen_{.threads = most.threads, .prefetch = std::min(2, most.prefetch)} {}

bool loader_tuner::observe(const loader_period& period) {
  if (period.waited > starved * period.seconds) {
    calm_ = 0;
    return more(period);
  }
  calm_ = period.waited < fed * period.seconds ? calm_ + 1 : 0;
  if (calm_ < calm_periods) return false;
  calm_ = 0;
  return less();
}

bool loader_tuner::more(const loader_period& period) {
  if (lowered_) least_threads_ = chosen_.threads + 1;
  lowered_ = false;
  if (chosen_.threads < most_.threads) {
    ++chosen_.threads;
    return true;
  }
  const loader_tuning before = chosen_;
  chosen_.prefetch = std::min(2 * chosen_.prefetch, most_.prefetch);
  if (period.reading > much_reading * period.loading) {
    chosen_.read_ahead = std::min(std::max(2 * chosen_.read_ahead, 16), most_.read_ahead);
  }
  return chosen_ != before;
}

bool loader_tuner::less() {
  if (chosen_.threads <= least_threads_) return false;
  --chosen_.threads;
  lowered_ = true;
  return true;
}

}  // namespace weft::detail
