#include <market/brownian_model.hpp>
#include <market/brownian_program.hpp>
#include <market/checks.hpp>
#include <weft/market/closed_form.hpp>
#include <weft/market/monte_carlo.hpp>

#include <cmath>    // for std::exp, std::sqrt
#include <cstddef>  // for std::size_t
#include <string>   // for std::string, std::to_string

namespace weft {
namespace detail {
namespace {

path_results brownian_in_worker(const brownian_settings& settings, path_range range, bool want_values) {
  return results_of(brownian_program(settings), selected_isa(), range, want_values);
}

void set_motion(brownian_settings& settings, const geometric_brownian& model, double step) {
  const std::size_t count = model.assets.size();
  const std::vector<double> factor = factor_of(model);
  for (std::size_t i = 0; i < count; ++i) {
    const asset& each = model.assets[i];
    const double variance = each.volatility * each.volatility;
    settings.drift.push_back(static_cast<float>((model.rate - each.dividend_yield - 0.5 * variance) * step));
    settings.weight.push_back(static_cast<float>(each.weight * each.spot));
    for (std::size_t k = 0; k < count; ++k) {
      settings.loading.push_back(
          static_cast<float>(each.volatility * std::sqrt(step) * factor[i * count + k]));
    }
  }
}

// The basket's expectation at maturity.
double forward_of(const geometric_brownian& model, double maturity) {
  double sum = 0.0;
  for (const asset& each : model.assets) {
    sum += each.weight * each.spot * std::exp((model.rate - each.dividend_yield) * maturity);
  }
  return sum;
}

// Fills in the payoff; one overload an option.
class payoff_setter {
 public:
  payoff_setter(brownian_settings& settings, const geometric_brownian& model,
                const monte_carlo_options& options)
      : settings_(settings),
        options_(options),
        terms_{model.assets[0].weight * model.assets[0].spot, model.rate, model.assets[0].dividend_yield,
               model.assets[0].volatility, options.maturity},
        alone_(model.assets.size() == 1),
        now_(forward_of(model, 0.0)) {
    settings_.control_mean = forward_of(model, options.maturity);
  }

  void operator()(const european_option& option) { set(path_payoff::european, option.type, option.strike); }

  void operator()(const asian_option& option) {
    const bool geometric = option.mean == mean_kind::geometric;
    set(geometric ? path_payoff::geometric_mean : path_payoff::arithmetic_mean, option.type, option.strike);
    if (!geometric && alone_ && settings_.control) {
      settings_.control_mean =
          closed_form(terms_, asian_option{option.type, option.strike, mean_kind::geometric},
                      options_.steps) /
          settings_.discount;
    }
  }

  void operator()(const barrier_option& option) {
    const bool in = option.kind == barrier_kind::up_and_in || option.kind == barrier_kind::down_and_in;
    set(in ? path_payoff::knock_in : path_payoff::knock_out, option.type, option.strike);
    require(option.barrier > 0.0, "monte_carlo", "barrier", option.barrier, "above 0");
    settings_.barrier_above =
        option.kind == barrier_kind::up_and_in || option.kind == barrier_kind::up_and_out;
    double level = option.barrier;
    const bool touched = settings_.barrier_above ? now_ >= level : now_ <= level;
    if (option.continuous && !touched) {
      if (!alone_) {
        throw invalid_argument(
            "monte_carlo: a continuous barrier is for one asset; watch a basket's at each of more steps");
      }
      // Nearer to the spot by what shifted_barrier() moves it away.
      const double shift = shifted_barrier(terms_, option, options_.steps) / level;
      level /= shift;
    }
    settings_.barrier = static_cast<float>(level);
  }

 private:
  void set(path_payoff payoff, option_type type, double strike) {
    require(strike >= 0.0, "monte_carlo", "strike", strike, "at least 0");
    settings_.payoff = static_cast<int>(payoff);
    settings_.sign = type == option_type::call ? 1.0F : -1.0F;
    settings_.strike = static_cast<float>(strike);
  }

  brownian_settings& settings_;
  const monte_carlo_options& options_;
  market_terms terms_;
  bool alone_;
  double now_;
};

}  // namespace

brownian_settings settings_of(const geometric_brownian& model, const path_option& option,
                              const monte_carlo_options& options) {
  check("monte_carlo", model);
  require(options.maturity >= 0.0, "monte_carlo", "maturity", options.maturity, "at least 0");
  require_steps("monte_carlo", options.steps);
  brownian_settings settings;
  settings.seed = options.seed;
  settings.steps = options.steps;
  settings.antithetic = options.antithetic;
  settings.control = options.control_variate;
  settings.discount = std::exp(-model.rate * options.maturity);
  set_motion(settings, model, options.maturity / static_cast<double>(options.steps));
  std::visit(payoff_setter(settings, model, options), option);
  return settings;
}

path_arguments arguments_of(const brownian_settings& settings) {
  return {
      .seed = {static_cast<std::uint32_t>(settings.seed), static_cast<std::uint32_t>(settings.seed >> 32)},
      .steps = settings.steps,
      .assets = static_cast<std::int64_t>(settings.drift.size()),
      .drift = settings.drift.data(),
      .loading = settings.loading.data(),
      .weight = settings.weight.data(),
      .payoff = static_cast<path_payoff>(settings.payoff),
      .sign = settings.sign,
      .strike = settings.strike,
      .barrier = settings.barrier,
      .barrier_above = settings.barrier_above,
      .antithetic = settings.antithetic};
}

future<path_results> brownian_program::in_worker(process_pool& pool, path_range range,
                                                 bool want_values) const {
  return pool.submit<&brownian_in_worker>(settings_, range, want_values);
}

}  // namespace detail

estimate monte_carlo(const geometric_brownian& model, const path_option& option,
                     const monte_carlo_options& options) {
  return detail::estimate_paths(detail::brownian_program(detail::settings_of(model, option, options)),
                                options);
}

std::vector<double> path_values(const geometric_brownian& model, const path_option& option,
                                const monte_carlo_options& options) {
  return detail::pay_paths(detail::brownian_program(detail::settings_of(model, option, options)), options);
}

}  // namespace weft
