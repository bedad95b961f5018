#pragma once

#include <vector>  // for std::vector

namespace weft {

/// One asset of a basket. Rates are continuous, a year is 1.
struct asset {
  /// The price now; above 0.
  double spot = 0.0;
  /// At least 0.
  double volatility = 0.0;
  /// What it pays out, which its price loses.
  double dividend_yield = 0.0;
  /// How many of it are in the basket; above 0.
  double weight = 1.0;
};

/// Geometric Brownian motions: dS = (rate - dividend_yield) S dt + volatility S dW. A step is exact, whatever
/// its length, because it is made of the logarithm: (rate - dividend_yield - volatility^2 / 2) dt +
/// volatility dW, where the second term of the drift is Itô's.
///
/// Options are on the basket, the sum of weight * price.
struct geometric_brownian {
  /// Of the riskless account, at which payoffs are discounted.
  double rate = 0.0;
  /// 1 to 64 of them.
  std::vector<asset> assets;
  /// Of the motions: a row for each asset, ones on the diagonal. None: they are independent.
  std::vector<double> correlation = {};
};

}  // namespace weft
