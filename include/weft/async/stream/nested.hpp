#pragma once

#include <weft/async/detail/inner_run.hpp>
#include <weft/async/stream/from.hpp>
#include <weft/async/stream/stage.hpp>
#include <weft/core/error.hpp>

#include <cstddef>      // for std::size_t
#include <functional>   // for std::invoke
#include <optional>     // for std::optional
#include <type_traits>  // for std::invoke_result_t
#include <utility>      // for std::move, std::forward
#include <vector>       // for std::vector

namespace weft {

namespace detail {

/// A stream as it is, anything else through from().
template <class T>
auto as_stream(T&& items) {
  if constexpr (stream<T>) {
    return std::remove_cvref_t<T>(std::forward<T>(items));
  } else {
    return from(std::forward<T>(items));
  }
}

struct as_it_is {
  template <class T>
  T operator()(T item) const {
    return item;
  }
};

template <class Upstream, class F>
struct nested_stream : stream_base {
  using outer_type = typename Upstream::value_type;
  using inner_stream = decltype(as_stream(std::declval<std::invoke_result_t<F&, outer_type>>()));
  using value_type = typename inner_stream::value_type;
  static constexpr bool background = Upstream::background || inner_stream::background;

  Upstream upstream;
  F function;
  std::size_t width;

  nested_stream(Upstream before, F open, std::size_t together, const char* kind)
      : stream_base{kind}, upstream(std::move(before)), function(std::move(open)), width(together) {}

  class running {
   public:
    running(nested_stream&& description, const opening& open)
        : upstream_(std::move(description.upstream), open),
          function_(std::move(description.function)),
          meter_(open.stage(description.name)),
          inner_(description.width) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void start(nursery& children) {
      children_ = &children;
      upstream_.start(children);
    }

    task<std::optional<value_type>> next() {
      std::optional<value_type> item;
      // How many places in a row had nothing to give and could not be filled.
      for (std::size_t empty = 0; empty < inner_.size();) {
        inner_run<inner_stream>& place = inner_[turn_];
        if (!place.is_open()) co_await refill(place);
        if (place.is_open()) {
          item = co_await place.items().next();
          meter_.worked();
          if (!item) {
            co_await place.close();
            continue;
          }
        }
        turn_ = (turn_ + 1) % inner_.size();
        if (item) break;
        ++empty;
      }
      if (item) meter_.item_out();
      co_return item;
    }

   private:
    task<void> refill(inner_run<inner_stream>& place) {
      if (ended_) co_return;
      std::optional<outer_type> outer = co_await upstream_.next();
      ended_ = !outer;
      if (ended_) co_return;
      meter_.item_in();
      try {
        place.assemble_unrecorded(as_stream(std::invoke(function_, std::move(*outer))));
      } catch (...) {
        meter_.fail();
      }
      if constexpr (inner_stream::background) co_await place.launch(*children_);
    }

    typename Upstream::running upstream_;
    F function_;
    stage_meter meter_;
    nursery* children_ = nullptr;
    std::vector<inner_run<inner_stream>> inner_;
    std::size_t turn_ = 0;
    bool ended_ = false;
  };
};

template <class F>
struct nested_adaptor : adaptor_base {
  F function;
  std::size_t width;
  const char* kind;

  nested_adaptor(F open, std::size_t together, const char* name)
      : function(std::move(open)), width(together), kind(name) {}

  template <stream S>
  auto attach(S upstream) && {
    return nested_stream<S, F>(std::move(upstream), std::move(function), width, kind);
  }
};

inline std::size_t checked_interleave(std::size_t count) {
  if (count == 0) throw invalid_argument("interleave: the count is 0, it must be at least 1");
  return count;
}

}  // namespace detail

/// `function(item)` gives a stream or a range for each item; their items in one stream, one after the other.
///
/// A stream that is given may have background stages; they run while it is the one that is read.
template <class F>
auto flat_map(F function) {
  return detail::nested_adaptor<F>(std::move(function), 1, "flat_map");
}

/// As flat_map(), with `count` of the streams open at a time, from which items are taken in turn. The order
/// is that of the turns, not of arrival; give the streams a prefetch() to let them work at the same time.
/// Throws invalid_argument if count is 0.
template <class F>
auto interleave(std::size_t count, F function) {
  return detail::nested_adaptor<F>(std::move(function), detail::checked_interleave(count), "interleave");
}

/// As above for a stream whose items are streams or ranges themselves.
inline auto interleave(std::size_t count) {
  return interleave(count, detail::as_it_is());
}

}  // namespace weft
