#pragma once

namespace weft::detail {

/// The deviations that a normal number stays within with this probability, above 0 and below 1.
double two_sided_quantile(double confidence);

}  // namespace weft::detail
