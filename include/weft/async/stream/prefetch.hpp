#pragma once

#include <weft/async/detail/handover.hpp>
#include <weft/async/detail/pump.hpp>
#include <weft/async/stream/stage.hpp>
#include <weft/core/error.hpp>

#include <cstddef>   // for std::size_t
#include <optional>  // for std::optional
#include <utility>   // for std::move

namespace weft {

namespace detail {

template <class Upstream>
struct prefetch_stream : stream_base {
  using value_type = typename Upstream::value_type;
  static constexpr bool background = true;

  Upstream upstream;
  std::size_t count;

  prefetch_stream(Upstream before, std::size_t ahead)
      : stream_base{"prefetch"}, upstream(std::move(before)), count(ahead) {}

  class running {
   public:
    running(prefetch_stream&& description, const opening& open)
        : running(std::move(description), open, open.new_lane()) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void start(nursery& children) {
      upstream_.start(children);
      children.spawn([this] { return pump(upstream_, places_, *pump_lane_, meter_.record()); });
    }

    task<std::optional<value_type>> next() { return pull_from(places_, meter_.home(), meter_.record()); }

   private:
    running(prefetch_stream&& description, const opening& open, const opening& behind)
        : pump_lane_(&behind.home()),
          upstream_(std::move(description.upstream), behind),
          places_(description.count, 1),
          meter_(open.stage(description.name)) {
      meter_.record().between_lanes = true;
    }

    lane* pump_lane_;
    typename Upstream::running upstream_;
    handover<value_type> places_;
    stage_meter meter_;
  };
};

struct prefetch_adaptor : adaptor_base {
  std::size_t count = 1;

  template <stream S>
  auto attach(S upstream) && {
    return prefetch_stream<S>(std::move(upstream), count);
  }
};

}  // namespace detail

/// Runs everything before it in the background, up to `count` items ahead of what comes after it.
///
/// Holds at most `count` items, the one that is being produced included. An error upstream comes out after
/// the items that were produced before it. Throws invalid_argument if count is 0.
inline auto prefetch(std::size_t count) {
  if (count == 0) throw invalid_argument("prefetch: the count is 0, it must be at least 1");
  detail::prefetch_adaptor result;
  result.count = count;
  return result;
}

}  // namespace weft
