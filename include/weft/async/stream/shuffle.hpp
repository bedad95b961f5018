#pragma once

#include <weft/async/detail/random_below.hpp>
#include <weft/async/stream/stage.hpp>
#include <weft/core/error.hpp>

#include <cstddef>   // for std::size_t
#include <cstdint>   // for std::uint64_t
#include <optional>  // for std::optional
#include <utility>   // for std::move, std::swap
#include <vector>    // for std::vector

namespace weft {

namespace detail {

template <class Upstream>
struct shuffle_stream : stream_base {
  using value_type = typename Upstream::value_type;
  static constexpr bool background = Upstream::background;

  Upstream upstream;
  std::size_t capacity;
  std::uint64_t seed;

  shuffle_stream(Upstream before, std::size_t buffer, std::uint64_t key)
      : stream_base{"shuffle"}, upstream(std::move(before)), capacity(buffer), seed(key) {}

  class running {
   public:
    running(shuffle_stream&& description, const opening& open)
        : upstream_(std::move(description.upstream), open),
          capacity_(description.capacity),
          seed_(description.seed),
          pass_(open.pass()),
          meter_(open.stage(description.name)) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void start(nursery& children) { upstream_.start(children); }

    task<std::optional<value_type>> next() {
      std::optional<value_type> item;
      while (!ended_ && held_.size() < capacity_) {
        item = co_await upstream_.next();
        ended_ = !item;
        if (ended_) break;
        meter_.item_in();
        held_.push_back(std::move(*item));
        meter_.worked();
        if (pause_.due(meter_.home())) co_await pause_.breathe(meter_.home());
      }
      item.reset();
      if (held_.empty()) co_return item;
      value_type& chosen = held_[draw()];
      item.emplace(std::move(chosen));
      if (&chosen != &held_.back()) chosen = std::move(held_.back());
      held_.pop_back();
      meter_.worked();
      meter_.item_out();
      co_return item;
    }

   private:
    std::size_t draw() noexcept {
      return static_cast<std::size_t>(random_below(seed_, pass_, drawn_++, held_.size()));
    }

    typename Upstream::running upstream_;
    std::size_t capacity_;
    std::uint64_t seed_;
    std::uint64_t pass_;
    std::uint64_t drawn_ = 0;
    std::vector<value_type> held_;
    bool ended_ = false;
    stage_meter meter_;
    breather pause_;
  };
};

struct shuffle_adaptor : adaptor_base {
  std::size_t capacity = 1;
  std::uint64_t seed = 0;

  template <stream S>
  auto attach(S upstream) && {
    return shuffle_stream<S>(std::move(upstream), capacity, seed);
  }
};

}  // namespace detail

/// Mixes the order: keeps `buffer` items and gives out one of them at random each time. With a buffer as
/// large as the stream every order is equally likely; a smaller one mixes locally, as tf.data's shuffle does.
///
/// The same seed and the same items give the same order, whatever else runs; each pass of a repeat() after it
/// has an order of its own. Holds at most `buffer` items. Throws invalid_argument if buffer is 0.
inline auto shuffle(std::size_t buffer, std::uint64_t seed) {
  if (buffer == 0) throw invalid_argument("shuffle: the buffer is 0 items, it must be at least 1");
  detail::shuffle_adaptor result;
  result.capacity = buffer;
  result.seed = seed;
  return result;
}

}  // namespace weft
