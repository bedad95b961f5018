#pragma once

#include <weft/async/detail/nursery.hpp>
#include <weft/async/detail/stage_record.hpp>
#include <weft/async/gather.hpp>
#include <weft/async/stream/stats.hpp>
#include <weft/async/task.hpp>
#include <weft/core/error.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <concepts>     // for std::derived_from
#include <cstdint>      // for std::uint64_t
#include <memory>       // for std::shared_ptr
#include <optional>     // for std::optional
#include <string>       // for std::string
#include <type_traits>  // for std::remove_cvref_t
#include <utility>      // for std::move

namespace weft {

namespace detail {

/// Base of every stream: the description of a source and the stages after it. It does nothing until a sink
/// runs it; then its `running` type, which the sink's coroutine owns, is made from it:
///
///     running(Stream&& description, const opening&)   may throw; starts nothing
///     void start(nursery&)                            starts what runs in the background, upstream first
///     task<std::optional<value_type>> next()          one call at a time
///
/// `background` says at compile time whether start() does anything.
struct stream_base {
  std::string name;
};

/// Base of what stands to the right of `|`: attach(stream) makes a longer stream, or a pipeline if it is a
/// sink.
struct adaptor_base {};

}  // namespace detail

/// A stream: a source and stages, to which more stages and at last a sink are added with `|`.
///
/// A stream is pulled: nothing runs until a sink asks for an item, and nothing is produced that has no place
/// to go. It is a value, copyable if its source and its functions are; each copy runs on its own.
template <class S>
concept stream = std::derived_from<std::remove_cvref_t<S>, detail::stream_base>;

/// The type of a stream's items.
template <stream S>
using stream_value_t = typename std::remove_cvref_t<S>::value_type;

/// A stream with its sink: the task that runs it, and what its stages have done.
///
///     auto training = from(files) | map(pool, decode) | batch(128) | for_each(step);
///     co_await std::move(training);
///     log(to_string(training.stats()));
///
/// Everything the stages started has ended when the task does, however it ends: at the end of the stream,
/// when take() stops it early, when a stage throws, when it is cancelled. A stage that throws stops the
/// pipeline, which throws stage_error; what the stages before it had already handed on is processed first.
///
/// Thread safety: stats() may be called from any thread at any time; the rest as task.
/// Cancellation: stops every stage, waits for calls that a pool is running, and throws `cancelled`.
template <class R>
class [[nodiscard]] pipeline : public task<R> {
 public:
  /// Made by `stream | sink`.
  pipeline(task<R> work, std::shared_ptr<detail::recorder> records)
      : task<R>(std::move(work)), records_(std::move(records)) {}

  /// What each stage has done so far; also after the pipeline has been awaited.
  pipeline_stats stats() const { return records_->snapshot(); }

  /// Names the sink.
  pipeline&& rename(std::string name) && {
    records_->rename_sink(std::move(name));
    return std::move(*this);
  }

 private:
  std::shared_ptr<detail::recorder> records_;
};

namespace detail {

struct renaming : adaptor_base {
  std::string name;

  template <stream S>
  S attach(S upstream) && {
    upstream.name = std::move(name);
    return upstream;
  }
};

template <class First, class Second>
struct composed : adaptor_base {
  First first;
  Second second;

  composed(First one, Second two) : first(std::move(one)), second(std::move(two)) {}

  template <stream S>
  auto attach(S upstream) && {
    return std::move(second).attach(std::move(first).attach(std::move(upstream)));
  }
};

template <class A>
concept adaptor = std::derived_from<A, adaptor_base>;

// Found by argument-dependent lookup, since the bases of streams and adaptors live here.
template <class S, adaptor A>
requires stream<S>
auto operator|(S upstream, A stage) {
  return std::move(stage).attach(std::move(upstream));
}

template <adaptor First, adaptor Second>
auto operator|(First first, Second second) {
  return composed<First, Second>(std::move(first), std::move(second));
}

template <class R>
pipeline<R> operator|(pipeline<R>&& line, renaming name) {
  return std::move(line).rename(std::move(name.name));
}

/// Lets the other coroutines of the executor run, every millisecond or so: a chain of stages that never wait
/// would otherwise hold the event loop until its end, and could not be cancelled.
class breather {
 public:
  bool due(const lane& where) const noexcept { return where.last() - since_ > ticks_between; }

  task<void> breathe(lane& where) {
    co_await boost::asio::post(boost::asio::use_awaitable);
    where.lap();  // others' time
    since_ = where.last();
  }

 private:
  static constexpr std::uint64_t ticks_between = 2'000'000;
  std::uint64_t since_ = ticks();
};

/// Whether and with what result a function is a coroutine.
template <class T>
struct task_result {
  static constexpr bool is_task = false;
  using type = T;
};
template <class T>
struct task_result<task<T>> {
  static constexpr bool is_task = true;
  using type = awaited<T>;
};

template <class Items, class Sink, class R>
task<void> consume(Sink& sink, Items& items, stage_meter& meter, std::optional<regular<R>>& result) {
  co_await store_result<R>(sink.consume(items, meter), result);
}

template <class Items, class Sink, class R>
task<void> consume_and_stop(Sink& sink, Items& items, stage_meter& meter, std::optional<regular<R>>& result,
                            nursery& children) {
  co_await consume<Items, Sink, R>(sink, items, meter, result);
  children.cancel();
}

class record_end {
 public:
  explicit record_end(recorder& records) : records_(records) { records.begin(); }
  record_end(const record_end&) = delete;
  record_end& operator=(const record_end&) = delete;
  ~record_end() { records_.end(); }

 private:
  recorder& records_;
};

/// Tells a sink that wants to know that its pipeline is over, also if it never came to consume anything.
template <class Sink>
class sink_end {
 public:
  explicit sink_end(Sink& sink) noexcept : sink_(sink) {}
  sink_end(const sink_end&) = delete;
  sink_end& operator=(const sink_end&) = delete;
  ~sink_end() {
    if constexpr (requires(Sink & each) { each.end(); }) sink_.end();
  }

 private:
  Sink& sink_;
};

template <class R, class S, class Sink>
task<R> drive(S description, Sink sink, std::shared_ptr<recorder> records) {
  using items_type = typename S::running;
  const sink_end<Sink> at_sink_end(sink);
  recorder::position next;
  const opening open(*records, next);
  items_type items(std::move(description), open);
  stage_meter meter = open.stage(records->sink_name());
  std::optional<regular<R>> result;
  const record_end at_end(*records);
  if constexpr (S::background) {
    auto start = [&](nursery& children) {
      items.start(children);
      children.spawn(
          [&] { return consume_and_stop<items_type, Sink, R>(sink, items, meter, result, children); });
    };
    co_await supervise(start);
    if (!result) throw cancelled();
  } else {
    bool stopped = false;
    try {
      co_await consume<items_type, Sink, R>(sink, items, meter, result);
    } catch (...) {
      stopped = is_cancellation(std::current_exception());
      if (!stopped) throw;
    }
    if (stopped) throw cancelled();
  }
  if constexpr (!std::is_void_v<R>) co_return std::move(*result);
}

/// A sink's attach().
template <class R, class S, class Sink>
pipeline<R> make_pipeline(S upstream, Sink sink, const char* name) {
  auto records = std::make_shared<recorder>(name);
  return pipeline<R>(drive<R>(std::move(upstream), std::move(sink), records), records);
}

}  // namespace detail

/// Names the stage, source or sink before it, for errors and statistics: `map(pool, decode) |
/// named("decode")`.
inline auto named(std::string name) {
  detail::renaming result;
  result.name = std::move(name);
  return result;
}

}  // namespace weft
