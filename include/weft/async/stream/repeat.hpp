#pragma once

#include <weft/async/detail/inner_run.hpp>
#include <weft/async/stream/stage.hpp>

#include <concepts>  // for std::copyable
#include <cstdint>   // for std::uint64_t
#include <limits>    // for std::numeric_limits
#include <optional>  // for std::optional
#include <utility>   // for std::move

namespace weft {

namespace detail {

template <class Upstream>
struct repeat_stream : stream_base {
  using value_type = typename Upstream::value_type;
  static constexpr bool background = Upstream::background;

  Upstream upstream;
  std::uint64_t times;

  repeat_stream(Upstream before, std::uint64_t count)
      : stream_base{"repeat"}, upstream(std::move(before)), times(count) {}

  class running {
   public:
    running(repeat_stream&& description, const opening& open)
        : original_(std::move(description.upstream)),
          times_(description.times),
          records_(open.records()),
          where_(open.next()),
          outer_pass_(open.pass()),
          home_(open.home()),
          meter_(first_pass(open, description.name)) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void start(nursery& children) noexcept { children_ = &children; }

    task<std::optional<value_type>> next() {
      std::optional<value_type> item;
      while (pass_ < times_) {
        if (!launched_) {
          if constexpr (background) co_await pass_run_.launch(*children_);
          launched_ = true;
          gave_something_ = false;
        }
        item = co_await pass_run_.items().next();
        if (item) {
          gave_something_ = true;
          meter_.item_in();
          meter_.item_out();
          break;
        }
        co_await pass_run_.close();
        ++pass_;
        if (!gave_something_ || pass_ == times_) {
          pass_ = times_;
          break;
        }
        assemble();
      }
      co_return item;
    }

   private:
    // The stages before this one are registered before it; later passes go on with their records.
    stage_meter first_pass(const opening& open, const std::string& name) {
      pass_run_.assemble(Upstream(original_), opening(records_, *open.cursor(), home_, seed_of_pass()));
      return open.stage(name);
    }

    void assemble() {
      recorder::position next = where_;
      pass_run_.assemble(Upstream(original_), opening(records_, next, home_, seed_of_pass()));
      launched_ = false;
    }

    // Distinct for the passes of nested repetitions.
    std::uint64_t seed_of_pass() const noexcept { return outer_pass_ * 0x9E3779B97F4A7C15U + pass_; }

    const Upstream original_;
    std::uint64_t times_;
    std::uint64_t pass_ = 0;
    bool launched_ = false;
    bool gave_something_ = false;
    recorder& records_;
    recorder::position where_;
    std::uint64_t outer_pass_;
    lane& home_;
    inner_run<Upstream> pass_run_;
    stage_meter meter_;
    nursery* children_ = nullptr;
  };
};

struct repeat_adaptor : adaptor_base {
  std::uint64_t times = 0;

  template <stream S>
  auto attach(S upstream) && {
    static_assert(
        std::copy_constructible<S>,
        "repeat() runs copies of the stream before it: its source and its functions must be copyable");
    return repeat_stream<S>(std::move(upstream), times);
  }
};

}  // namespace detail

/// Runs the stream before it `times` times, one after the other, from the beginning each time: the epochs of
/// a training. Every pass is a fresh copy of the stream's description, so a source must be one that can be
/// read again: a range that is referred to or copied, not a queue.
///
/// A pass that gives nothing ends the stream. shuffle() mixes differently in each pass, and the same again in
/// the next run.
inline auto repeat(std::uint64_t times) {
  detail::repeat_adaptor result;
  result.times = times;
  return result;
}

/// As above without end.
inline auto repeat() {
  return repeat(std::numeric_limits<std::uint64_t>::max());
}

}  // namespace weft
