#pragma once

#include <weft/async/detail/handover.hpp>
#include <weft/async/detail/pump.hpp>
#include <weft/async/stream/stage.hpp>

#include <concepts>  // for std::same_as
#include <cstddef>   // for std::size_t
#include <optional>  // for std::optional
#include <tuple>     // for std::tuple, std::tuple_cat
#include <utility>   // for std::move

namespace weft {

namespace detail {

/// The running streams of several descriptions, which cannot move into a tuple.
template <class... Streams>
class branches;

template <class First, class... Rest>
class branches<First, Rest...> {
 public:
  /// @param own_lanes whether each is pulled by a coroutine of its own
  template <class All>
  branches(All&& descriptions, const opening& open, bool own_lanes)
      : branches(std::forward<All>(descriptions), open, own_lanes, own_lanes ? open.new_lane() : open) {}

  /// Calls `function(running, lane)` for each, in order.
  template <class F>
  void each(F&& function) {
    function(first_, *lane_);
    rest_.each(function);
  }

  typename First::running& first() noexcept { return first_; }
  branches<Rest...>& rest() noexcept { return rest_; }

 private:
  template <class All>
  branches(All&& descriptions, const opening& open, bool own_lanes, const opening& mine)
      : lane_(&mine.home()),
        first_(std::get<std::tuple_size_v<All> - sizeof...(Rest) - 1>(std::forward<All>(descriptions)), mine),
        rest_(std::forward<All>(descriptions), open, own_lanes) {}

  lane* lane_;
  typename First::running first_;
  branches<Rest...> rest_;
};

template <>
class branches<> {
 public:
  template <class All>
  branches(All&&, const opening&, bool) {}
  template <class F>
  void each(F&&) {}
};

template <class... Streams>
struct zip_stream : stream_base {
  using value_type = std::tuple<typename Streams::value_type...>;
  static constexpr bool background = (Streams::background || ...);

  std::tuple<Streams...> streams;

  explicit zip_stream(Streams... parts) : stream_base{"zip"}, streams(std::move(parts)...) {}

  class running {
   public:
    running(zip_stream&& description, const opening& open)
        : branches_(std::move(description.streams), open, false), meter_(open.stage(description.name)) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void start(nursery& children) {
      branches_.each([&](auto& branch, lane&) { branch.start(children); });
    }

    task<std::optional<value_type>> next() {
      std::optional<value_type> result;
      std::tuple<std::optional<typename Streams::value_type>...> parts;
      const bool complete = co_await pull_each<0>(branches_, parts);
      if (!complete) co_return result;
      meter_.item_in();
      std::apply([&](auto&... part) { result.emplace(std::move(*part)...); }, parts);
      meter_.worked();
      meter_.item_out();
      co_return result;
    }

   private:
    template <std::size_t I, class Branches, class Parts>
    static task<bool> pull_each(Branches& from, Parts& parts) {
      auto& part = std::get<I>(parts);
      part = co_await from.first().next();
      if (!part) co_return false;
      if constexpr (I + 1 < sizeof...(Streams)) {
        const bool complete = co_await pull_each<I + 1>(from.rest(), parts);
        co_return complete;
      } else {
        co_return true;
      }
    }

    branches<Streams...> branches_;
    stage_meter meter_;
  };
};

template <class First, class... Rest>
struct merge_stream : stream_base {
  using value_type = typename First::value_type;
  static constexpr bool background = true;

  std::tuple<First, Rest...> streams;

  explicit merge_stream(First first, Rest... rest)
      : stream_base{"merge"}, streams(std::move(first), std::move(rest)...) {}

  class running {
   public:
    running(merge_stream&& description, const opening& open)
        : branches_(std::move(description.streams), open, true),
          meter_(open.stage(description.name)),
          places_(1 + sizeof...(Rest), 1 + sizeof...(Rest)) {
      meter_.record().between_lanes = true;
    }
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void start(nursery& children) {
      branches_.each([&](auto& branch, lane& home) {
        branch.start(children);
        children.spawn([this, &branch, &home] { return pump(branch, places_, home, meter_.record()); });
      });
    }

    task<std::optional<value_type>> next() { return pull_from(places_, meter_.home(), meter_.record()); }

   private:
    branches<First, Rest...> branches_;
    stage_meter meter_;
    handover<value_type> places_;
  };
};

}  // namespace detail

/// A stream of tuples: the first items of all streams, then the second ones, until one of them ends. What had
/// been pulled from the others for the incomplete last tuple is dropped.
template <stream First, stream... Rest>
auto zip(First first, Rest... rest) {
  return detail::zip_stream<First, Rest...>(std::move(first), std::move(rest)...);
}

/// The items of several streams of one type in the order in which they come, until all have ended. The
/// streams run in the background at the same time; at most as many items are held as there are streams.
template <stream First, stream... Rest>
requires(std::same_as<stream_value_t<First>, stream_value_t<Rest>>&&...) auto merge(First first,
                                                                                    Rest... rest) {
  return detail::merge_stream<First, Rest...>(std::move(first), std::move(rest)...);
}

}  // namespace weft
