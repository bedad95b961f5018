#pragma once

#include <weft/async/stream/stage.hpp>
#include <weft/core/error.hpp>

#include <cstddef>   // for std::size_t
#include <optional>  // for std::optional
#include <utility>   // for std::move
#include <vector>    // for std::vector

namespace weft {

/// What batch() does at the end of the stream.
struct batch_options {
  /// Drops a last batch that is not full.
  bool drop_last = false;
};

namespace detail {

template <class Upstream>
struct batch_stream : stream_base {
  using value_type = std::vector<typename Upstream::value_type>;
  static constexpr bool background = Upstream::background;

  Upstream upstream;
  std::size_t size;
  batch_options options;

  batch_stream(Upstream before, std::size_t count, batch_options how)
      : stream_base{"batch"}, upstream(std::move(before)), size(count), options(how) {}

  class running {
   public:
    running(batch_stream&& description, const opening& open)
        : upstream_(std::move(description.upstream), open),
          size_(description.size),
          options_(description.options),
          meter_(open.stage(description.name)) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void start(nursery& children) { upstream_.start(children); }

    task<std::optional<value_type>> next() {
      value_type items;
      std::optional<value_type> batch;
      if (ended_) co_return batch;
      items.reserve(size_);
      while (items.size() < size_) {
        std::optional<typename Upstream::value_type> item = co_await upstream_.next();
        ended_ = !item;
        if (ended_) break;
        meter_.item_in();
        items.push_back(std::move(*item));
      }
      if (items.empty() || (ended_ && options_.drop_last)) co_return batch;
      batch.emplace(std::move(items));
      meter_.worked();
      meter_.item_out();
      co_return batch;
    }

   private:
    typename Upstream::running upstream_;
    std::size_t size_;
    batch_options options_;
    bool ended_ = false;
    stage_meter meter_;
  };
};

struct batch_adaptor : adaptor_base {
  std::size_t size = 1;
  batch_options options;

  template <stream S>
  auto attach(S upstream) && {
    return batch_stream<S>(std::move(upstream), size, options);
  }
};

}  // namespace detail

/// Collects `size` items at a time into a vector. The last one may be shorter, unless it is dropped.
///
/// Holds at most `size` items. Throws invalid_argument if size is 0.
inline auto batch(std::size_t size, batch_options options = {}) {
  if (size == 0) throw invalid_argument("batch: the size is 0, it must be at least 1");
  detail::batch_adaptor result;
  result.size = size;
  result.options = options;
  return result;
}

}  // namespace weft
