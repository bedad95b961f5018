#include <weft/market/tick_checker.hpp>

#include <cmath>  // for std::isfinite

namespace weft {

bool tick_checker::accept(const tick& next) {
  record& known = symbols_[next.symbol];
  const auto count = [&](std::uint64_t tick_counts::*what, std::uint64_t times = 1) {
    known.counts.*what += times;
    all_.*what += times;
  };
  if (!std::isfinite(next.price) || next.price <= 0.0) {
    count(&tick_counts::bad_prices);
    return false;
  }
  if (next.sequence != 0 && next.sequence <= known.sequence) {
    count(&tick_counts::repeated);
    return false;
  }
  if (next.time < known.time) {
    count(&tick_counts::late);
    return false;
  }
  // A feed that is joined in the middle has not left out what came before.
  if (next.sequence != 0 && known.sequence != 0)
    count(&tick_counts::missing, next.sequence - known.sequence - 1);
  known.sequence = next.sequence != 0 ? next.sequence : known.sequence;
  known.time = next.time;
  count(&tick_counts::accepted);
  return true;
}

tick_counts tick_checker::counts(std::uint32_t symbol) const {
  const auto found = symbols_.find(symbol);
  return found == symbols_.end() ? tick_counts{} : found->second.counts;
}

}  // namespace weft
