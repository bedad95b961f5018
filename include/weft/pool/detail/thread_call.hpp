#pragma once

#include <weft/observe/span.hpp>
#include <weft/observe/trace.hpp>
#include <weft/pool/detail/call_queue.hpp>
#include <weft/pool/future.hpp>

#include <exception>    // for std::current_exception
#include <optional>     // for std::optional
#include <type_traits>  // for std::is_void_v
#include <utility>      // for std::move, std::exchange

namespace weft::detail {

/// Says, while it lives, that this thread runs calls of a pool or a part of a loop, and must not simply
/// block.
class inside_pool {
 public:
  /// A part of a loop, on any thread.
  inside_pool() noexcept : inside_pool(this_thread_pool) {}
  /// @param pool whose calls this thread now runs, as a name only
  explicit inside_pool(const void* pool) noexcept : outer_(std::exchange(this_thread_pool, pool)) {
    ++pool_call_depth;
  }
  inside_pool(const inside_pool&) = delete;
  inside_pool& operator=(const inside_pool&) = delete;
  ~inside_pool() {
    --pool_call_depth;
    this_thread_pool = outer_;
  }

 private:
  const void* outer_;
};

/// A call that was submitted to a thread_pool.
template <class R, class Call>
class thread_call final : public typed_call<R>, public queued_call {
 public:
  /// @param pool its pool, as a name only; @param trace_name what its span is called
  thread_call(const void* pool, const char* trace_name, Call function)
      : queued_call(static_cast<shared_call&>(*this)),
        pool_(pool),
        trace_name_(trace_name),
        function_(std::move(function)) {}

 private:
  const void* home() const noexcept override { return pool_; }

  void execute() noexcept override {
    const std::uint64_t begin = queued_since != 0 || trace::enabled() ? begin_span() : 0;
    try {
      if constexpr (std::is_void_v<R>) {
        std::move (*function_)();
        this->result_.template emplace<1>();
      } else {
        this->result_.template emplace<1>(std::move(*function_)());
      }
    } catch (...) {
      this->fail(std::current_exception());
    }
    function_.reset();  // what the call captured ends here, not when the last future is dropped
    if (begin != 0) [[unlikely]] {
      record_span(trace_kind::span, trace_name_, begin, nullptr, 0);
    }
  }

  // The call's wait, as a span of its own, and an arrow from where it was submitted.
  std::uint64_t begin_span() const noexcept {
    if (queued_since != 0) {
      record_span(trace_kind::async_span, "pool.queued", queued_since, nullptr, 0);
    }
    const std::uint64_t begin = trace_ticks();
    trace::flow_in("pool.submit", flow);
    return begin;
  }

  const void* pool_;
  const char* trace_name_;
  std::optional<Call> function_;
};

/// What a thread does when it submits a call while a trace is being recorded: a span with the tail of an
/// arrow in it, and the beginning of the call's wait.
inline void trace_submission(queued_call& call) noexcept {
  const span submitting("pool.submit");
  call.flow = trace::flow_out("pool.submit");
  call.queued_since = trace_ticks();
}

}  // namespace weft::detail
