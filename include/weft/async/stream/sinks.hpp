#pragma once

#include <weft/async/queue.hpp>
#include <weft/async/stream/stage.hpp>
#include <weft/core/error.hpp>

#include <cstddef>      // for std::size_t
#include <functional>   // for std::invoke
#include <optional>     // for std::optional
#include <type_traits>  // for std::invoke_result_t
#include <utility>      // for std::move
#include <vector>       // for std::vector

namespace weft {

/// What into() does with its queue.
struct into_options {
  /// Closes the queue when the stream ends, in whichever way, so that nobody waits for items that will not
  /// come. Turn it off when several pipelines feed one queue.
  bool close = true;
};

namespace detail {

template <class F>
struct for_each_sink : adaptor_base {
  F function;

  explicit for_each_sink(F step) : function(std::move(step)) {}

  template <class Items>
  task<void> consume(Items& items, stage_meter& meter) {
    using T = typename decltype(items.next())::value_type::value_type;
    breather pause;
    while (std::optional<T> item = co_await items.next()) {
      meter.item_in();
      try {
        if constexpr (task_result<std::invoke_result_t<F&, T>>::is_task) {
          co_await std::invoke(function, std::move(*item));
        } else {
          std::invoke(function, std::move(*item));
        }
      } catch (...) {
        meter.fail();
      }
      meter.worked();
      if (pause.due(meter.home())) co_await pause.breathe(meter.home());
    }
  }

  template <stream S>
  pipeline<void> attach(S upstream) && {
    return make_pipeline<void>(std::move(upstream), std::move(*this), "for_each");
  }
};

struct collect_sink : adaptor_base {
  template <class Items>
  auto consume(Items& items, stage_meter& meter) {
    return gather_all<typename decltype(items.next())::value_type::value_type>(items, meter);
  }

  template <stream S>
  auto attach(S upstream) && {
    return make_pipeline<std::vector<stream_value_t<S>>>(std::move(upstream), collect_sink(), "collect");
  }

 private:
  template <class T, class Items>
  static task<std::vector<T>> gather_all(Items& items, stage_meter& meter) {
    std::vector<T> all;
    breather pause;
    while (std::optional<T> item = co_await items.next()) {
      meter.item_in();
      all.push_back(std::move(*item));
      meter.worked();
      if (pause.due(meter.home())) co_await pause.breathe(meter.home());
    }
    co_return all;
  }
};

template <class R, class F>
struct reduce_sink : adaptor_base {
  R value;
  F function;

  reduce_sink(R initial, F combine) : value(std::move(initial)), function(std::move(combine)) {}

  template <class Items>
  task<R> consume(Items& items, stage_meter& meter) {
    using T = typename decltype(items.next())::value_type::value_type;
    breather pause;
    while (std::optional<T> item = co_await items.next()) {
      meter.item_in();
      try {
        value = std::invoke(function, std::move(value), std::move(*item));
      } catch (...) {
        meter.fail();
      }
      meter.worked();
      if (pause.due(meter.home())) co_await pause.breathe(meter.home());
    }
    co_return std::move(value);
  }

  template <stream S>
  pipeline<R> attach(S upstream) && {
    return make_pipeline<R>(std::move(upstream), std::move(*this), "reduce");
  }
};

template <class Q>
struct into_sink : adaptor_base {
  queue<Q>* target;
  into_options options;

  into_sink(queue<Q>& to, into_options how) : target(&to), options(how) {}

  void end() noexcept {
    if (options.close) target->close();
  }

  template <class Items>
  task<std::size_t> consume(Items& items, stage_meter& meter) {
    using T = typename decltype(items.next())::value_type::value_type;
    std::size_t count = 0;
    breather pause;
    while (std::optional<T> next = co_await items.next()) {
      meter.item_in();
      bool refused = false;
      try {
        Q item(std::move(*next));
        if (!target->try_push(item)) {
          co_await target->push_from(item);
          meter.waited_for_room();
        }
      } catch (const queue_closed&) {
        refused = true;
      } catch (...) {
        meter.fail();
      }
      if (refused) break;
      ++count;
      meter.worked();
      if (pause.due(meter.home())) co_await pause.breathe(meter.home());
    }
    co_return count;
  }

  template <stream S>
  pipeline<std::size_t> attach(S upstream) && {
    return make_pipeline<std::size_t>(std::move(upstream), std::move(*this), "into queue");
  }
};

template <class F>
struct pull_sink : adaptor_base {
  F body;

  explicit pull_sink(F work) : body(std::move(work)) {}

  template <class Items>
  task<void> consume(Items& items, stage_meter& meter) {
    try {
      co_await std::invoke(body, items);
    } catch (const stage_error&) {
      throw;
    } catch (...) {
      meter.fail();
    }
    meter.worked();
  }

  template <stream S>
  pipeline<void> attach(S upstream) && {
    return make_pipeline<void>(std::move(upstream), std::move(*this), "pull");
  }
};

}  // namespace detail

/// Sink: calls `function(item)` on each item, one after the other; if it returns a task, awaits it.
template <class F>
auto for_each(F function) {
  return detail::for_each_sink<F>(std::move(function));
}

/// Sink: all items in a vector.
inline auto collect() {
  return detail::collect_sink();
}

/// Sink: `value = function(value, item)` for each item, from `initial`; the last value.
template <class R, class F>
auto reduce(R initial, F function) {
  return detail::reduce_sink<R, F>(std::move(initial), std::move(function));
}

/// Sink: pushes each item into the queue, waiting while it is full, and closes it at the end. Returns how
/// many went in. If somebody else closes the queue, the pipeline stops there without an error, and the item
/// in hand is dropped.
///
/// The queue must outlive the pipeline. When a stage fails the queue is closed too, and the pipeline throws.
template <class T>
auto into(queue<T>& target, into_options options = {}) {
  return detail::into_sink<T>(target, options);
}

/// Sink: runs the coroutine `body(items)`, which pulls with `co_await items.next()`, a task<std::optional<T>>
/// that is empty at the end. The pipeline stops when the body returns.
template <class F>
auto pull(F body) {
  return detail::pull_sink<F>(std::move(body));
}

}  // namespace weft
