#include <market/checks.hpp>
#include <weft/market/closed_form.hpp>

#include <algorithm>  // for std::max
#include <cmath>      // for std::exp, std::log, std::sqrt, std::erfc, std::pow
#include <numbers>    // for std::numbers::sqrt2

namespace weft {
namespace {

double normal_below(double x) {
  return 0.5 * std::erfc(-x / std::numbers::sqrt2);
}

double sign_of(option_type type) {
  return type == option_type::call ? 1.0 : -1.0;
}

void check(const market_terms& terms, double strike) {
  using detail::require;
  require(terms.spot > 0.0, "closed_form", "spot", terms.spot, "above 0");
  require(true, "closed_form", "rate", terms.rate, "a number");
  require(true, "closed_form", "dividend_yield", terms.dividend_yield, "a number");
  require(terms.volatility >= 0.0, "closed_form", "volatility", terms.volatility, "at least 0");
  require(terms.maturity >= 0.0, "closed_form", "maturity", terms.maturity, "at least 0");
  require(strike >= 0.0, "closed_form", "strike", strike, "at least 0");
}

// Of an underlying whose logarithm is normal with this deviation and whose mean is `forward` (Black, 1976).
double lognormal_payoff(double forward, double deviation, double strike, double sign) {
  if (deviation <= 0.0 || strike <= 0.0) return std::max(0.0, sign * (forward - strike));
  const double d1 = std::log(forward / strike) / deviation + 0.5 * deviation;
  return sign * (forward * normal_below(sign * d1) - strike * normal_below(sign * (d1 - deviation)));
}

bool is_above(barrier_kind kind) {
  return kind == barrier_kind::up_and_in || kind == barrier_kind::up_and_out;
}

bool knocks_in(barrier_kind kind) {
  return kind == barrier_kind::up_and_in || kind == barrier_kind::down_and_in;
}

// Haug's A, B, C and D, of which every barrier option is a sum.
class barrier_terms {
 public:
  barrier_terms(const market_terms& terms, double strike, double barrier, double phi, double eta)
      : spot_(terms.spot * std::exp(-terms.dividend_yield * terms.maturity)),
        strike_(strike * std::exp(-terms.rate * terms.maturity)),
        phi_(phi),
        eta_(eta),
        deviation_(terms.volatility * std::sqrt(terms.maturity)) {
    const double variance = terms.volatility * terms.volatility;
    const double mu = (terms.rate - terms.dividend_yield) / variance - 0.5;
    const double shift = (1.0 + mu) * deviation_;
    x1_ = std::log(terms.spot / strike) / deviation_ + shift;
    x2_ = std::log(terms.spot / barrier) / deviation_ + shift;
    y1_ = std::log(barrier * barrier / (terms.spot * strike)) / deviation_ + shift;
    y2_ = std::log(barrier / terms.spot) / deviation_ + shift;
    strike_power_ = std::pow(barrier / terms.spot, 2.0 * mu);
    spot_power_ = std::pow(barrier / terms.spot, 2.0 * (mu + 1.0));
  }

  double a() const { return plain(x1_); }
  double b() const { return plain(x2_); }
  double c() const { return mirrored(y1_); }
  double d() const { return mirrored(y2_); }

 private:
  double plain(double x) const {
    return phi_ * (spot_ * normal_below(phi_ * x) - strike_ * normal_below(phi_ * (x - deviation_)));
  }
  double mirrored(double y) const {
    return phi_ * (weighed(spot_ * spot_power_, eta_ * y) -
                   weighed(strike_ * strike_power_, eta_ * (y - deviation_)));
  }
  // A barrier far away has a power that overflows and a probability that is 0.
  static double weighed(double amount, double at) {
    const double probability = normal_below(at);
    return probability > 0.0 ? amount * probability : 0.0;
  }

  double spot_, strike_, phi_, eta_, deviation_;
  double x1_ = 0.0, x2_ = 0.0, y1_ = 0.0, y2_ = 0.0;
  double strike_power_ = 0.0, spot_power_ = 0.0;
};

}  // namespace

double closed_form(const market_terms& terms, const european_option& option) {
  check(terms, option.strike);
  const double forward = terms.spot * std::exp((terms.rate - terms.dividend_yield) * terms.maturity);
  const double deviation = terms.volatility * std::sqrt(terms.maturity);
  return std::exp(-terms.rate * terms.maturity) *
         lognormal_payoff(forward, deviation, option.strike, sign_of(option.type));
}

double closed_form(const market_terms& terms, const asian_option& option, std::int64_t steps) {
  check(terms, option.strike);
  detail::require_steps("closed_form", steps);
  if (option.mean != mean_kind::geometric) {
    throw invalid_argument(
        "closed_form: the arithmetic mean has no formula; take mean_kind::geometric, or monte_carlo()");
  }
  const auto n = static_cast<double>(steps);
  const double variance = terms.volatility * terms.volatility;
  const double drift =
      (terms.rate - terms.dividend_yield - 0.5 * variance) * terms.maturity * (n + 1.0) / (2.0 * n);
  const double mean_variance = variance * terms.maturity * (n + 1.0) * (2.0 * n + 1.0) / (6.0 * n * n);
  const double forward = terms.spot * std::exp(drift + 0.5 * mean_variance);
  return std::exp(-terms.rate * terms.maturity) *
         lognormal_payoff(forward, std::sqrt(mean_variance), option.strike, sign_of(option.type));
}

double closed_form(const market_terms& terms, const barrier_option& option) {
  check(terms, option.strike);
  detail::require(option.barrier > 0.0, "closed_form", "barrier", option.barrier, "above 0");
  const bool above = is_above(option.kind);
  const bool in = knocks_in(option.kind);
  const double plain = closed_form(terms, european_option{option.type, option.strike});
  if (above ? terms.spot >= option.barrier : terms.spot <= option.barrier) return in ? plain : 0.0;
  const double deviation = terms.volatility * std::sqrt(terms.maturity);
  if (deviation <= 0.0) {
    // The path is a curve without turns: its end is its extreme.
    const double end = terms.spot * std::exp((terms.rate - terms.dividend_yield) * terms.maturity);
    return (above ? end >= option.barrier : end <= option.barrier) == in ? plain : 0.0;
  }
  const bool call = option.type == option_type::call;
  // A strike of 0 is the limit of small ones.
  const double strike = std::max(option.strike, 1e-300);
  const barrier_terms parts(terms, strike, option.barrier, call ? 1.0 : -1.0, above ? -1.0 : 1.0);
  const bool strike_above = strike > option.barrier;
  double knocked_in = 0.0;
  if (call && above) {
    knocked_in = strike_above ? parts.a() : parts.b() - parts.c() + parts.d();
  } else if (call) {
    knocked_in = strike_above ? parts.c() : parts.a() - parts.b() + parts.d();
  } else if (above) {
    knocked_in = strike_above ? parts.a() - parts.b() + parts.d() : parts.c();
  } else {
    knocked_in = strike_above ? parts.b() - parts.c() + parts.d() : parts.a();
  }
  return in ? knocked_in : plain - knocked_in;
}

double shifted_barrier(const market_terms& terms, const barrier_option& option, std::int64_t steps) {
  check(terms, option.strike);
  detail::require_steps("shifted_barrier", steps);
  const double step = terms.maturity / static_cast<double>(steps);
  const double shift = 0.5826 * terms.volatility * std::sqrt(step);  // -zeta(1/2) / sqrt(2 pi)
  return option.barrier * std::exp(is_above(option.kind) ? shift : -shift);
}

}  // namespace weft
