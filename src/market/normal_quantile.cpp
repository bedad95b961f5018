#include <market/normal_quantile.hpp>

#include <boost/math/special_functions/erf.hpp>  // for boost::math::erf_inv

#include <numbers>  // for std::numbers::sqrt2

namespace weft::detail {

double two_sided_quantile(double confidence) {
  return std::numbers::sqrt2 * boost::math::erf_inv(confidence);
}

}  // namespace weft::detail
