#pragma once

#include <vector>  // for std::vector

namespace weft {

/// What tail_risk() computes.
struct tail_risk_options {
  /// The probability of a loss below the value at risk; above 0 and below 1.
  double level = 0.99;
  /// Of the intervals.
  double confidence = 0.95;
};

/// An estimate and the interval that holds the truth with the chosen confidence.
struct estimated_risk {
  /// The estimate.
  double value = 0.0;
  /// The interval's lower end.
  double low = 0.0;
  /// Its upper end.
  double high = 0.0;
};

/// The tail of a distribution of losses.
struct tail_risks {
  /// The loss that is exceeded with probability 1 - level.
  estimated_risk value_at_risk;
  /// The mean of the losses beyond it.
  estimated_risk expected_shortfall;
};

/// Value at risk and expected shortfall of a sample of independent losses, gains being negative.
///
/// The interval of the first is between order statistics, whose ranks are binomial (David and Nagaraja,
/// "Order statistics", 2003, 7.1); that of the second is by its asymptotic variance (Manistre and Hancock,
/// "Variance of the CTE estimator", 2005). Throws invalid_argument if an option cannot work or if fewer than
/// 10 losses would lie in the tail.
///
/// Thread safety: safe.
tail_risks tail_risk(std::vector<double> losses, const tail_risk_options& options = {});

}  // namespace weft
