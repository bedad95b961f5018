#pragma once

#include <variant>  // for std::variant

namespace weft {

/// Whether an option pays what the underlying is above its strike, or below it.
enum class option_type { call, put };

/// Which mean an Asian option takes.
enum class mean_kind { arithmetic, geometric };

/// What touching the barrier does, and on which side of the spot the barrier lies.
enum class barrier_kind { up_and_in, up_and_out, down_and_in, down_and_out };

/// Pays at maturity, on the underlying then.
struct european_option {
  /// Call or put.
  option_type type = option_type::call;
  /// At least 0.
  double strike = 0.0;
};

/// Pays at maturity, on the mean of the underlying over the steps, the first one's end to the last one's.
struct asian_option {
  /// Call or put.
  option_type type = option_type::call;
  /// At least 0.
  double strike = 0.0;
  /// The mean.
  mean_kind mean = mean_kind::arithmetic;
};

/// Pays as a european_option if the underlying was, or was not, at or beyond the barrier, today or at the end
/// of a step. There is no rebate.
struct barrier_option {
  /// Call or put.
  option_type type = option_type::call;
  /// At least 0.
  double strike = 0.0;
  /// Above 0.
  double barrier = 0.0;
  /// What touching it does.
  barrier_kind kind = barrier_kind::up_and_out;
  /// Whether the barrier is watched between the steps too: it is then simulated where it has the price of the
  /// continuous one (Broadie, Glasserman and Kou, 1997), which is meant for one asset and many steps.
  bool continuous = false;
};

/// What monte_carlo() knows the payoff of.
using path_option = std::variant<european_option, asian_option, barrier_option>;

}  // namespace weft
