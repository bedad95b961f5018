#pragma once

#include <weft/market/path_math.hpp>

#include <array>        // for std::array
#include <concepts>     // for std::convertible_to
#include <type_traits>  // for std::is_trivially_copyable_v

namespace weft {

/// A model of one's own: how a state begins, how a step of `time` years with `factors` independent normal
/// numbers moves it, and the price that a payoff sees. It is copied byte by byte, also to other processes and
/// to a GPU, for which its functions are WEFT_HOST_DEVICE. brownian_motion is one.
template <class M>
concept path_model = std::is_trivially_copyable_v<M> && std::is_trivially_copyable_v<typename M::state> &&
                     (M::factors > 0) &&
                     requires(const M& model, typename M::state& state,
                              const std::array<float, M::factors>& normals, float time) {
  { model.start() } -> std::convertible_to<typename M::state>;
  model.step(state, normals, time);
  { model.price(state) } -> std::convertible_to<float>;
};

/// A payoff of one's own: a state that sees the price at the beginning and after each step, and what is paid,
/// given the state and the last price. With control(state, price) and control_mean() it has a control
/// variate; control_mean() is called on the processor only.
template <class P>
concept path_payoff_of = std::is_trivially_copyable_v<P> && std::is_trivially_copyable_v<typename P::state> &&
    requires(const P& payoff, typename P::state& state, float price) {
  { payoff.start(price) } -> std::convertible_to<typename P::state>;
  payoff.observe(state, price);
  { payoff.value(state, price) } -> std::convertible_to<float>;
};

}  // namespace weft
