#include <weft/market/brownian_motion.hpp>

#include <market/checks.hpp>

namespace weft {

brownian_motion::brownian_motion(const market_terms& terms)
    : spot_(static_cast<float>(terms.spot)),
      drift_(
          static_cast<float>(terms.rate - terms.dividend_yield - 0.5 * terms.volatility * terms.volatility)),
      volatility_(static_cast<float>(terms.volatility)) {
  const std::string who = "brownian_motion";
  detail::require(terms.spot > 0.0, who, "spot", terms.spot, "above 0");
  detail::require(true, who, "rate", terms.rate, "a number");
  detail::require(true, who, "dividend_yield", terms.dividend_yield, "a number");
  detail::require(terms.volatility >= 0.0, who, "volatility", terms.volatility, "at least 0");
}

}  // namespace weft
