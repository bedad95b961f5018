#pragma once

#include <cstdint>  // for std::uint64_t
#include <utility>  // for std::exchange

#include <weft/observe/trace.hpp>

namespace weft {

/// A stretch of work on one thread, from construction to destruction, for the trace.
///
/// Spans of one thread nest as scopes do, so a span must not be open across a co_await: other work of the
/// thread would seem to be part of it. That is what async_span is for. While nothing is traced it costs one
/// relaxed load and a branch. Only spans that have ended are recorded.
///
/// Thread safety: distinct objects safe; shared objects unsafe. Construct and destroy it on one thread.
class [[nodiscard]] span {
 public:
  /// Opens a span.
  explicit span(trace_name name) noexcept : name_(name.c_str()) {
    if (trace::enabled()) [[unlikely]] {
      begin_ = detail::trace_ticks();
    }
  }
  /// Opens a span with an argument, such as the number of bytes read.
  span(trace_name name, trace_name key, double value) noexcept : span(name) { argument(key, value); }
  ~span() { end(); }
  span(const span&) = delete;
  span& operator=(const span&) = delete;

  /// Sets the argument that the trace shows with the span; the last one counts.
  void argument(trace_name key, double value) noexcept {
    key_ = key.c_str();
    value_ = value;
  }

  /// Ends the span before its scope does. Later calls do nothing.
  void end() noexcept {
    if (begin_ != 0) [[unlikely]] {
      detail::record_span(detail::trace_kind::span, name_, std::exchange(begin_, 0), key_, value_);
    }
  }

 private:
  const char* name_;
  const char* key_ = nullptr;
  double value_ = 0;
  std::uint64_t begin_ = 0;  // 0: not recording
};

/// A stretch of time that no thread owns: a coroutine's wait, a request from arrival to answer. Several with
/// one name may overlap. It may move, and end on another thread than it began.
///
/// Thread safety: distinct objects safe; shared objects unsafe.
class [[nodiscard]] async_span {
 public:
  /// Opens a span.
  explicit async_span(trace_name name) noexcept : name_(name.c_str()) {
    if (trace::enabled()) [[unlikely]] {
      begin_ = detail::trace_ticks();
    }
  }
  /// Opens a span with an argument.
  async_span(trace_name name, trace_name key, double value) noexcept : async_span(name) {
    argument(key, value);
  }
  ~async_span() { end(); }
  /// Takes over the other's open span; the other has ended without a record.
  async_span(async_span&& other) noexcept
      : name_(other.name_), key_(other.key_), value_(other.value_), begin_(std::exchange(other.begin_, 0)) {}
  /// Ends this span and takes over the other's.
  async_span& operator=(async_span&& other) noexcept {
    if (this != &other) {
      end();
      name_ = other.name_;
      key_ = other.key_;
      value_ = other.value_;
      begin_ = std::exchange(other.begin_, 0);
    }
    return *this;
  }

  /// Sets the argument that the trace shows with the span; the last one counts.
  void argument(trace_name key, double value) noexcept {
    key_ = key.c_str();
    value_ = value;
  }

  /// Ends the span before its lifetime does. Later calls do nothing.
  void end() noexcept {
    if (begin_ != 0) [[unlikely]] {
      detail::record_span(detail::trace_kind::async_span, name_, std::exchange(begin_, 0), key_, value_);
    }
  }

 private:
  const char* name_;
  const char* key_ = nullptr;
  double value_ = 0;
  std::uint64_t begin_ = 0;  // 0: not recording
};

}  // namespace weft
