#pragma once

#include <atomic>       // for std::atomic
#include <bit>          // for std::bit_cast
#include <chrono>       // for std::chrono::steady_clock
#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::uint64_t
#include <string>       // for std::string
#include <string_view>  // for std::string_view

namespace weft {

/// The name of something in a trace: a pointer to text that lives as long as the program, so that recording
/// copies no characters. A string literal converts to it; other text goes through trace::intern().
///
/// Thread safety: distinct objects safe; shared objects safe.
class trace_name {
 public:
  /// From a string literal; anything else does not compile.
  consteval trace_name(const char* literal) : text_(literal) {}  // NOLINT(google-explicit-constructor)

  /// The text, zero-terminated.
  constexpr const char* c_str() const noexcept { return text_; }

 private:
  struct interned {
    const char* text;
  };
  constexpr explicit trace_name(interned name) noexcept : text_(name.text) {}
  static trace_name intern(std::string_view text);
  friend struct trace;

  const char* text_;
};

namespace detail {

inline constinit std::atomic<bool> trace_enabled{false};

enum class trace_kind : std::uint32_t {
  span,
  async_span,
  track_span,
  instant,
  value,
  flow_out,
  flow_in,
  argument,
};

// The clock of trace events: the processor's time stamp counter where the kernel trusts it, else nanoseconds
// of the steady clock. Never zero.
std::uint64_t trace_ticks() noexcept;
void record_span(trace_kind kind, const char* name, std::uint64_t begin, const char* key,
                 double value) noexcept;
void record_point(trace_kind kind, const char* name, std::uint64_t payload) noexcept;
std::uint64_t next_flow() noexcept;
void record_on_track(std::uint32_t track, const char* name, std::int64_t begin, std::int64_t end) noexcept;

}  // namespace detail

/// Bounds of a trace.
struct trace_options {
  /// The memory that events may take, in bytes, over all threads. An event takes 32 bytes, one with an
  /// argument 64.
  std::size_t memory = std::size_t{64} << 20;
};

/// What a program did and when, as a file in the Chrome trace-event format that https://ui.perfetto.dev and
/// chrome://tracing open (the format: "Trace Event Format", Google, 2016).
///
/// A program that uses weft and is started with `WEFT_TRACE=out.json` in its environment is traced from its
/// first instruction to its exit; `%p` in the name becomes the process id, and `WEFT_TRACE_MEMORY` is the
/// memory in MiB if the default does not suit. A file that cannot be created, or a memory that is no number,
/// ends the program at once with an uncaught weft::error. start() and stop() do the same for a part of a
/// program.
///
/// While nothing is traced, each of the functions costs one relaxed load and a branch. Otherwise events go to
/// buffers that each thread has to itself, without locks, and are written in one go by stop() or at exit
/// (std::exit or a return from main; not std::_Exit, not a signal that kills). Memory is bounded: when it is
/// used up, further events are dropped, counted, and the file says how many. A thread's events outlive it. In
/// a forked child tracing is off until start() is called there.
///
/// Thread safety: every function may be called from any thread at any time.
struct trace {
  trace() = delete;

  /// Starts to record, to be written to path; `%p` in it becomes the process id.
  ///
  /// Throws io_error if the file cannot be created and weft::error if a trace is being recorded already.
  static void start(std::string path, trace_options options = {});

  /// Ends the recording and writes the file. Spans that are still open are not in it. Does nothing when
  /// nothing is being recorded. Throws io_error if the file cannot be written.
  static void stop();

  /// Whether events are being recorded.
  static bool enabled() noexcept { return detail::trace_enabled.load(std::memory_order_relaxed); }

  /// How many events the current or the latest recording had no memory for.
  static std::uint64_t dropped();

  /// A name made at run time. Equal texts share one copy, kept until the program ends: for names out of a
  /// bounded set, such as those of stages or queues.
  static trace_name intern(std::string_view text) { return trace_name::intern(text); }

  /// Names the calling thread in traces, now and in later recordings.
  static void name_thread(std::string name);

  /// Marks this moment on the calling thread.
  static void instant(trace_name name) noexcept {
    if (enabled()) [[unlikely]] {
      detail::record_point(detail::trace_kind::instant, name.c_str(), 0);
    }
  }

  /// A point of a curve: the process has one for each name.
  static void value(trace_name name, double value) noexcept {
    if (enabled()) [[unlikely]] {
      detail::record_point(detail::trace_kind::value, name.c_str(), std::bit_cast<std::uint64_t>(value));
    }
  }

  /// The tail of an arrow, out of the span that is open on this thread. What it returns travels with the item
  /// and is handed to flow_in(); 0 when nothing is being recorded.
  [[nodiscard]] static std::uint64_t flow_out(trace_name name) noexcept {
    if (!enabled()) [[likely]] {
      return 0;
    }
    const std::uint64_t flow = detail::next_flow();
    detail::record_point(detail::trace_kind::flow_out, name.c_str(), flow);
    return flow;
  }

  /// The head of an arrow, into the span that is open on this thread; name must be the one given to
  /// flow_out(). Does nothing for flow 0.
  static void flow_in(trace_name name, std::uint64_t flow) noexcept {
    if (flow != 0 && enabled()) [[unlikely]] {
      detail::record_point(detail::trace_kind::flow_in, name.c_str(), flow);
    }
  }

  /// A row of the trace that is not a thread: a GPU stream, a remote worker.
  class track {
   public:
    /// A row with this name. Rows are kept until the program ends: make one for each device or stream.
    explicit track(std::string name);

    /// Records what this row did between two moments of the steady clock. Spans of one row nest or are
    /// disjoint.
    void span(trace_name name, std::chrono::steady_clock::time_point begin,
              std::chrono::steady_clock::time_point end) const noexcept {
      if (enabled()) [[unlikely]] {
        detail::record_on_track(id_, name.c_str(), begin.time_since_epoch() / std::chrono::nanoseconds(1),
                                end.time_since_epoch() / std::chrono::nanoseconds(1));
      }
    }

   private:
    std::uint32_t id_;
  };
};

}  // namespace weft
