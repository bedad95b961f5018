#pragma once

#include <weft/async/queue.hpp>
#include <weft/async/stream/stage.hpp>

#include <iterator>     // for std::begin, std::end, std::iter_value_t
#include <optional>     // for std::optional
#include <type_traits>  // for std::is_lvalue_reference_v
#include <utility>      // for std::move, std::forward

namespace weft {

namespace detail {

template <class R>
concept iterable = requires(R& range) {
  std::begin(range) != std::end(range);
};

/// A container gives out const elements when it is const itself; a view such as a span does not, and does not
/// own them either.
template <class R>
concept owns_elements = requires(R& range, const R& constant) {
  requires std::is_same_v < decltype(*std::begin(range)), std::iter_value_t<decltype(std::begin(range))>
  & > ;
  requires std::is_same_v < decltype(*std::begin(constant)),
      const std::iter_value_t<decltype(std::begin(range))>
  & > ;
};

/// Range is the range's type, or a reference to one that the caller keeps alive.
template <class Range>
struct range_stream : stream_base {
  using range_type = std::remove_reference_t<Range>;
  using iterator = decltype(std::begin(std::declval<range_type&>()));
  using value_type = std::iter_value_t<iterator>;
  static constexpr bool background = false;
  static constexpr bool borrowed = std::is_lvalue_reference_v<Range>;
  using stored = std::conditional_t<borrowed, range_type*, range_type>;

  stored range;

  explicit range_stream(stored items) : stream_base{"from range"}, range(std::move(items)) {}

  class running {
   public:
    running(range_stream&& description, const opening& open)
        : range_(std::move(description.range)),
          current_(std::begin(items())),
          end_(std::end(items())),
          meter_(open.stage(description.name)) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void start(nursery&) noexcept {}

    task<std::optional<value_type>> next() {
      std::optional<value_type> item;
      try {
        if (started_) ++current_;
        started_ = current_ != end_;
        if (started_) {
          if constexpr (!borrowed && owns_elements<range_type>) {
            item.emplace(std::move(*current_));
          } else {
            item.emplace(*current_);
          }
          meter_.item_out();
        }
      } catch (...) {
        meter_.fail();
      }
      meter_.worked();
      co_return item;
    }

   private:
    range_type& items() noexcept {
      if constexpr (borrowed) {
        return *range_;
      } else {
        return range_;
      }
    }

    stored range_;
    iterator current_;
    decltype(std::end(std::declval<range_type&>())) end_;
    bool started_ = false;  // current_ has been given out: advanced only when the next item is asked for
    stage_meter meter_;
  };
};

/// Pulls items from a reference: Source is anything whose `pull(source)` is a task of an optional item.
template <class Source, class Pull, class T>
struct pulled_stream : stream_base {
  using value_type = T;
  static constexpr bool background = false;

  Source source;

  pulled_stream(Source from, const char* kind) : stream_base{kind}, source(std::move(from)) {}

  class running {
   public:
    running(pulled_stream&& description, const opening& open)
        : source_(std::move(description.source)), meter_(open.stage(description.name)) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void start(nursery&) noexcept {}

    task<std::optional<value_type>> next() {
      std::optional<value_type> item;
      try {
        item = co_await Pull()(source_);
      } catch (...) {
        meter_.fail();
      }
      if (item) meter_.item_out();
      meter_.waited_for_input();
      co_return item;
    }

   private:
    Source source_;
    stage_meter meter_;
  };
};

struct pull_from_queue {
  template <class T>
  task<std::optional<T>> operator()(queue<T>* items) const {
    return items->pop();
  }
};

struct pull_from_next {
  template <class Source>
  auto operator()(Source& source) const {
    if constexpr (std::is_pointer_v<Source>) {
      return source->next();
    } else {
      return source.next();
    }
  }
};

template <class S>
concept pullable = !stream<S> && requires(S & source) {
  requires task_result<decltype(source.next())>::is_task;
  source.next();
};

}  // namespace detail

/// A stream of a range's elements, in order. A range that is passed as an lvalue is referred to, must outlive
/// the pipeline and is copied from; one that is moved in belongs to the stream, and its elements are moved
/// out. An infinite range is fine.
template <class Range>
requires detail::iterable<std::remove_reference_t<Range>> &&
    (!stream<Range>)&&(!detail::pullable<Range>)auto from(Range&& range) {
  if constexpr (std::is_lvalue_reference_v<Range>) {
    return detail::range_stream<Range>(&range);
  } else {
    return detail::range_stream<Range>(std::forward<Range>(range));
  }
}

/// A stream of what is popped from the queue, until it is closed and drained. The queue must outlive the
/// pipeline.
///
/// Only what the stages ask for is popped: see their read-ahead. done() is not called.
template <class T>
auto from(queue<T>& items) {
  return detail::pulled_stream<queue<T>*, detail::pull_from_queue, T>(&items, "from queue");
}

/// A stream of what `source.next()` gives, a task<std::optional<T>> that is empty at the end: as_completed, a
/// cursor, a socket's reader. An lvalue is referred to and must outlive the pipeline.
template <class Source>
requires detail::pullable<std::remove_reference_t<Source>>
auto from(Source&& source) {
  using type = std::remove_reference_t<Source>;
  using item = typename detail::task_result<decltype(source.next())>::type::value_type;
  if constexpr (std::is_lvalue_reference_v<Source>) {
    return detail::pulled_stream<type*, detail::pull_from_next, item>(&source, "from source");
  } else {
    return detail::pulled_stream<type, detail::pull_from_next, item>(std::forward<Source>(source),
                                                                     "from source");
  }
}

}  // namespace weft
