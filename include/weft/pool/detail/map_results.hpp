#pragma once

#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::int64_t
#include <optional>     // for std::optional
#include <ranges>       // for std::ranges::range_reference_t
#include <type_traits>  // for std::is_nothrow_default_constructible_v
#include <utility>      // for std::move
#include <vector>       // for std::vector

namespace weft::detail {

template <class R>
struct mapped {
  using type = std::vector<R>;
};
template <>
struct mapped<void> {
  using type = void;
};

/// What a parallel map of a function over a range gives: the results in order, or nothing.
template <class F, class Range>
using mapped_t = typename mapped<std::invoke_result_t<F&, std::ranges::range_reference_t<Range>>>::type;

/// Takes the place of the results where there are none.
struct no_results {
  explicit no_results(std::int64_t) {}
};

/// Where the results of a parallel map go, each to its place. Results that can be made from nothing without
/// more ado are assigned to the elements of the vector that is returned; others are made in slots and moved.
/// The elements of a vector<bool> share bytes, so they take slots too.
template <class R>
class map_results {
 public:
  explicit map_results(std::int64_t count) : places_(static_cast<std::size_t>(count)) {}

  template <class Make>
  void put(std::int64_t index, Make&& make) {
    auto& place = places_[static_cast<std::size_t>(index)];
    if constexpr (direct) {
      place = make();
    } else {
      place.emplace(make());
    }
  }

  /// All of them, in order, once each has been put.
  std::vector<R> take() {
    if constexpr (direct) {
      return std::move(places_);
    } else {
      std::vector<R> results;
      results.reserve(places_.size());
      for (auto& place : places_) results.push_back(std::move(*place));
      return results;
    }
  }

 private:
  static constexpr bool direct =
      std::is_nothrow_default_constructible_v<R> && std::is_move_assignable_v<R> && !std::is_same_v<R, bool>;
  std::vector<std::conditional_t<direct, R, std::optional<R>>> places_;
};

}  // namespace weft::detail
