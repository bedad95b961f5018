#pragma once

#include <weft/async/stream/stage.hpp>

#include <cstdint>     // for std::uint64_t
#include <functional>  // for std::invoke
#include <optional>    // for std::optional
#include <utility>     // for std::move

namespace weft {

namespace detail {

template <class Upstream, class Predicate>
struct filter_stream : stream_base {
  using value_type = typename Upstream::value_type;
  static constexpr bool background = Upstream::background;

  Upstream upstream;
  Predicate predicate;

  filter_stream(Upstream before, Predicate keep)
      : stream_base{"filter"}, upstream(std::move(before)), predicate(std::move(keep)) {}

  class running {
   public:
    running(filter_stream&& description, const opening& open)
        : upstream_(std::move(description.upstream), open),
          predicate_(std::move(description.predicate)),
          meter_(open.stage(description.name)) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void start(nursery& children) { upstream_.start(children); }

    task<std::optional<value_type>> next() {
      std::optional<value_type> item;
      for (bool found = false; !found;) {
        item = co_await upstream_.next();
        if (!item) co_return item;
        meter_.item_in();
        try {
          found = static_cast<bool>(std::invoke(predicate_, std::as_const(*item)));
        } catch (...) {
          meter_.fail();
        }
        meter_.worked();
        if (pause_.due(meter_.home())) co_await pause_.breathe(meter_.home());
      }
      meter_.item_out();
      co_return item;
    }

   private:
    typename Upstream::running upstream_;
    Predicate predicate_;
    stage_meter meter_;
    breather pause_;
  };
};

template <class Predicate>
struct filter_adaptor : adaptor_base {
  Predicate predicate;

  explicit filter_adaptor(Predicate keep) : predicate(std::move(keep)) {}

  template <stream S>
  auto attach(S upstream) && {
    return filter_stream<S, Predicate>(std::move(upstream), std::move(predicate));
  }
};

template <class Upstream, class F>
struct tap_stream : stream_base {
  using value_type = typename Upstream::value_type;
  static constexpr bool background = Upstream::background;

  Upstream upstream;
  F function;

  tap_stream(Upstream before, F look)
      : stream_base{"tap"}, upstream(std::move(before)), function(std::move(look)) {}

  class running {
   public:
    running(tap_stream&& description, const opening& open)
        : upstream_(std::move(description.upstream), open),
          function_(std::move(description.function)),
          meter_(open.stage(description.name)) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void start(nursery& children) { upstream_.start(children); }

    task<std::optional<value_type>> next() {
      std::optional<value_type> item = co_await upstream_.next();
      if (!item) co_return item;
      meter_.item_in();
      try {
        std::invoke(function_, std::as_const(*item));
      } catch (...) {
        meter_.fail();
      }
      meter_.worked();
      meter_.item_out();
      co_return item;
    }

   private:
    typename Upstream::running upstream_;
    F function_;
    stage_meter meter_;
  };
};

template <class F>
struct tap_adaptor : adaptor_base {
  F function;

  explicit tap_adaptor(F look) : function(std::move(look)) {}

  template <stream S>
  auto attach(S upstream) && {
    return tap_stream<S, F>(std::move(upstream), std::move(function));
  }
};

template <class Upstream>
struct take_stream : stream_base {
  using value_type = typename Upstream::value_type;
  static constexpr bool background = Upstream::background;

  Upstream upstream;
  std::uint64_t count;

  take_stream(Upstream before, std::uint64_t most)
      : stream_base{"take"}, upstream(std::move(before)), count(most) {}

  class running {
   public:
    running(take_stream&& description, const opening& open)
        : upstream_(std::move(description.upstream), open),
          left_(description.count),
          meter_(open.stage(description.name)) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void start(nursery& children) {
      if (left_ != 0) upstream_.start(children);
    }

    task<std::optional<value_type>> next() {
      std::optional<value_type> item;
      if (left_ == 0) co_return item;
      item = co_await upstream_.next();
      if (item) {
        --left_;
        meter_.item_in();
        meter_.item_out();
      }
      co_return item;
    }

   private:
    typename Upstream::running upstream_;
    std::uint64_t left_;
    stage_meter meter_;
  };
};

struct take_adaptor : adaptor_base {
  std::uint64_t count = 0;

  template <stream S>
  auto attach(S upstream) && {
    return take_stream<S>(std::move(upstream), count);
  }
};

}  // namespace detail

/// Lets through the items for which `predicate(item)` is true.
template <class Predicate>
auto filter(Predicate predicate) {
  return detail::filter_adaptor<Predicate>(std::move(predicate));
}

/// Calls `function(item)` on each item as it passes, as const.
template <class F>
auto tap(F function) {
  return detail::tap_adaptor<F>(std::move(function));
}

/// Ends the stream after `count` items. Upstream is not asked for more, and what it has read ahead is
/// dropped.
inline auto take(std::uint64_t count) {
  detail::take_adaptor result;
  result.count = count;
  return result;
}

}  // namespace weft
