#pragma once

#include <weft/async/queue.hpp>
#include <weft/async/stream/sinks.hpp>
#include <weft/async/stream/stage.hpp>

#include <optional>  // for std::optional
#include <utility>   // for std::move

namespace weft {

namespace detail {

template <class Upstream, class Q>
struct tee_stream : stream_base {
  using value_type = typename Upstream::value_type;
  static constexpr bool background = Upstream::background;

  Upstream upstream;
  queue<Q>* target;
  into_options options;

  tee_stream(Upstream before, queue<Q>* to, into_options how)
      : stream_base{"tee"}, upstream(std::move(before)), target(to), options(how) {}

  class running {
   public:
    running(tee_stream&& description, const opening& open)
        : upstream_(std::move(description.upstream), open),
          target_(description.target),
          options_(description.options),
          meter_(open.stage(description.name)) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;
    ~running() {
      if (options_.close) target_->close();
    }

    void start(nursery& children) { upstream_.start(children); }

    task<std::optional<value_type>> next() {
      std::optional<value_type> item = co_await upstream_.next();
      if (!item) {
        if (options_.close) target_->close();
        co_return item;
      }
      meter_.item_in();
      if (!refused_) co_await copy(*item);
      meter_.item_out();
      co_return item;
    }

   private:
    task<void> copy(const value_type& item) {
      try {
        Q duplicate(item);
        const bool pushed = target_->try_push(duplicate);
        meter_.worked();
        if (pushed) co_return;
        co_await target_->push_from(duplicate);
        meter_.waited_for_room();
      } catch (const queue_closed&) {
        refused_ = true;
      } catch (...) {
        meter_.fail();
      }
    }

    typename Upstream::running upstream_;
    queue<Q>* target_;
    into_options options_;
    bool refused_ = false;
    stage_meter meter_;
  };
};

template <class Q>
struct tee_adaptor : adaptor_base {
  queue<Q>* target;
  into_options options;

  tee_adaptor(queue<Q>* to, into_options how) : target(to), options(how) {}

  template <stream S>
  auto attach(S upstream) && {
    return tee_stream<S, Q>(std::move(upstream), target, options);
  }
};

}  // namespace detail

/// Passes every item on and pushes a copy of it into the queue, waiting while that is full; closes the queue
/// at the end, as into() does. Once somebody else has closed it, items are only passed on.
///
/// The queue must outlive the pipeline.
template <class T>
auto tee(queue<T>& target, into_options options = {}) {
  return detail::tee_adaptor<T>(&target, options);
}

}  // namespace weft
