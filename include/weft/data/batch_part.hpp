#pragma once

#include <weft/async/stream/stage.hpp>
#include <weft/core/error.hpp>

#include <cstddef>   // for std::ptrdiff_t, std::size_t
#include <cstdint>   // for std::int64_t
#include <optional>  // for std::optional
#include <string>    // for std::to_string
#include <utility>   // for std::move
#include <vector>    // for std::vector

namespace weft {

/// How batch_part() cuts a stream of samples into batches; see loader_options.
struct batch_part_options {
  /// How many samples make a batch, over all ranks; at least 1.
  std::int64_t batch_size = 64;
  /// Which part of every batch comes, in [0, world).
  std::int64_t rank = 0;
  /// Into how many parts a batch is split; at most batch_size.
  std::int64_t world = 1;
  /// Whether a last batch that is not full is left out.
  bool drop_last = false;
  /// How many batches to pass over, whoever had them: to go on where another run stopped.
  std::int64_t next = 0;
};

namespace detail {

template <class Upstream>
struct batch_part_stream : stream_base {
  using value_type = std::vector<typename Upstream::value_type>;
  static constexpr bool background = Upstream::background;

  Upstream upstream;
  batch_part_options options;

  batch_part_stream(Upstream before, batch_part_options how)
      : stream_base{"batch_part"}, upstream(std::move(before)), options(how) {}

  class running {
   public:
    running(batch_part_stream&& description, const opening& open)
        : upstream_(std::move(description.upstream), open),
          options_(description.options),
          meter_(open.stage(description.name)) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void start(nursery& children) { upstream_.start(children); }

    task<std::optional<value_type>> next() {
      std::optional<value_type> part;
      while (!ended_ && options_.next > 0) {
        co_await read_batch();
        --options_.next;
      }
      if (ended_) co_return part;
      co_await read_batch();
      const auto whole = static_cast<std::int64_t>(batch_.size());
      if (whole == 0 || (ended_ && options_.drop_last)) co_return part;
      part.emplace();
      const std::int64_t end = row(whole, options_.rank + 1);
      for (std::int64_t i = row(whole, options_.rank); i < end; ++i) {
        part->push_back(std::move(batch_[static_cast<std::size_t>(i)]));
      }
      batch_.clear();
      meter_.worked();
      meter_.item_out();
      co_return part;
    }

   private:
    // Where a rank's part of so many samples begins.
    std::int64_t row(std::int64_t whole, std::int64_t rank) const noexcept {
      return whole / options_.world * rank + whole % options_.world * rank / options_.world;
    }

    // Into batch_: how many samples there are says which of them are this rank's.
    task<void> read_batch() {
      batch_.clear();
      while (static_cast<std::int64_t>(batch_.size()) < options_.batch_size) {
        std::optional<typename Upstream::value_type> sample = co_await upstream_.next();
        ended_ = !sample;
        if (ended_) break;
        meter_.item_in();
        batch_.push_back(std::move(*sample));
      }
    }

    typename Upstream::running upstream_;
    batch_part_options options_;
    value_type batch_;
    bool ended_ = false;
    stage_meter meter_;
  };
};

struct batch_part_adaptor : adaptor_base {
  batch_part_options options;

  template <stream S>
  auto attach(S upstream) && {
    return batch_part_stream<S>(std::move(upstream), options);
  }
};

}  // namespace detail

/// A stage that makes of a stream of samples what a loader makes of a source: batches, of which every rank
/// has its part. It is for what has no size and no places to go to, a socket or a compressed shard:
///
///     auto training = from(reader) | batch_part({.batch_size = 64, .rank = rank, .world = 4, .next = step})
///                   | map(pool, decode, {.concurrency = 4}) | prefetch(2) | for_each(train);
///
/// Of a batch of n samples rank r of world w gets rows [n r / w, n (r + 1) / w), as from a loader: the ranks'
/// parts put together are the batches of one process, and every rank has the same number of them; a part of a
/// last batch may be empty. Every rank's stream must have all samples, in the same order. What it reads for
/// others, and the `next` batches that it passes over, it drops before a later stage decodes them.
///
/// Exact to the sample, and resumed by counting: `next` is the number of batches that the run before has
/// used. What this cannot do is to go on without reading what came before; a source with places can, see
/// loader.
///
/// Holds at most batch_size samples. Throws invalid_argument naming the option that cannot work.
inline auto batch_part(batch_part_options options) {
  const auto refuse = [](const char* option, std::int64_t value, const std::string& takes) {
    throw invalid_argument(std::string("batch_part: ") + option + " is " + std::to_string(value) +
                           "; it must be " + takes);
  };
  if (options.batch_size < 1) refuse("batch_size", options.batch_size, "at least 1");
  if (options.world < 1 || options.world > options.batch_size) {
    refuse("world", options.world, "from 1 to batch_size, which is " + std::to_string(options.batch_size));
  }
  if (options.rank < 0 || options.rank >= options.world) {
    refuse("rank", options.rank, "from 0 to world - 1, which is " + std::to_string(options.world - 1));
  }
  if (options.next < 0) refuse("next", options.next, "at least 0");
  detail::batch_part_adaptor result;
  result.options = options;
  return result;
}

}  // namespace weft
