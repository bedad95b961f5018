#pragma once

#include "market.hpp"
#include "options.hpp"

#include <weft/market/estimate.hpp>
#include <weft/market/option.hpp>
#include <weft/market/tail_risk.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace risk {

using priced_option = std::variant<weft::european_option, weft::barrier_option>;

/// So many options, bought or, below 0, sold.
struct position {
  std::size_t symbol = 0;
  std::string name;
  priced_option option;
  double quantity = 0.0;
  std::chrono::nanoseconds expiry{0};
};

/// On each symbol: a call 5 % above the price bought, a put 5 % below sold, and a call bought that ends if
/// the price falls by a fifth. When they expire others are written, at the price then.
class book {
 public:
  void roll(const market& now);
  const std::vector<position>& positions() const { return positions_; }

 private:
  std::vector<position> positions_;
  std::vector<bool> has_;
};

/// All that the figures depend on.
struct situation {
  std::vector<double> prices;
  std::vector<double> volatilities;
  std::vector<double> correlation;
  std::vector<position> positions;
  std::chrono::nanoseconds time{0};
};

struct priced_position {
  position what;
  double years = 0.0;
  weft::estimate simulated;
  double formula = 0.0;
};

/// What a simulation finds out.
struct figures {
  situation of;
  std::vector<priced_position> positions;
  double value = 0.0;
  std::vector<double> losses;  ///< in `horizon_days` trading days, ascending
  weft::tail_risks tail;
};

constexpr int horizon_days = 10;

situation situation_of(const market& now, const book& all);

/// The options by simulation and by formula, and the losses by formula in simulated prices.
figures assess(const situation& now, const options& chosen);

/// Simulated prices of a symbol in the year to come: a path a row, a week a column.
std::vector<std::vector<double>> futures(double price, double volatility, const options& chosen,
                                         std::uint64_t symbol);

}  // namespace risk
