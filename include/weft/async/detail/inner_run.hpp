#pragma once

#include <weft/async/detail/nursery.hpp>
#include <weft/async/detail/stage_record.hpp>
#include <weft/async/detail/wait_for.hpp>
#include <weft/async/task.hpp>

#include <cstdint>   // for std::uint8_t
#include <mutex>     // for std::mutex
#include <optional>  // for std::optional
#include <utility>   // for std::move

namespace weft::detail {

/// A stream that is started and ended while the pipeline around it runs; used for one after the other. Its
/// background work belongs to a group of its own, which is a child of the pipeline's: close() stops and joins
/// it, and so does the pipeline's end.
///
/// The object must live as long as the pipeline's group, also when no stream is open.
template <class S>
class inner_run {
 public:
  using running = typename S::running;

  inner_run() = default;
  inner_run(const inner_run&) = delete;
  inner_run& operator=(const inner_run&) = delete;

  bool is_open() const noexcept { return items_.has_value(); }
  running& items() noexcept { return *items_; }

  /// Puts the stream together; the previous one has been closed.
  void assemble(S&& description, const opening& open) { items_.emplace(std::move(description), open); }

  /// As above, for a stream whose stages nobody will ask about.
  void assemble_unrecorded(S&& description) {
    items_.reset();
    records_.emplace("");
    recorder::position next;
    const opening open(*records_, next);
    items_.emplace(std::move(description), open);
  }

  /// Starts what the stream does in the background.
  task<void> launch(nursery& outer) {
    if constexpr (S::background) {
      phase_ = phase::starting;
      outer.spawn([this] { return keep(); });
      auto started = [this] { return phase_ != phase::starting; };
      co_await wait_for(mutex_, waiting_consumer_, started);
    } else {
      co_return;
    }
  }

  /// Stops and joins it, and destroys the stream.
  task<void> close() {
    if constexpr (S::background) {
      enter(phase::closing, waiting_keeper_);
      auto ended = [this] { return phase_ == phase::ended; };
      co_await wait_for(mutex_, waiting_consumer_, ended);
    }
    items_.reset();
    co_return;
  }

 private:
  enum class phase : std::uint8_t { ended, starting, open, closing };

  void enter(phase now, wait_list& concerned) {
    wake_chain woken;
    const std::lock_guard lock(mutex_);
    phase_ = now;
    wake_all(concerned, woken);
  }

  class end_signal {
   public:
    explicit end_signal(inner_run& owner) noexcept : owner_(owner) {}
    end_signal(const end_signal&) = delete;
    end_signal& operator=(const end_signal&) = delete;
    ~end_signal() { owner_.enter(phase::ended, owner_.waiting_consumer_); }

   private:
    inner_run& owner_;
  };

  task<void> keep() {
    const end_signal at_end(*this);
    auto start = [this](nursery& children) {
      items_->start(children);
      children.spawn([this, &children] { return await_close(children); });
      enter(phase::open, waiting_consumer_);
    };
    co_await supervise(start);
  }

  task<void> await_close(nursery& children) {
    auto closing = [this] { return phase_ == phase::closing; };
    co_await wait_for(mutex_, waiting_keeper_, closing);
    children.cancel();
  }

  std::optional<recorder> records_;
  std::optional<running> items_;
  std::mutex mutex_;
  phase phase_ = phase::ended;
  wait_list waiting_consumer_;
  wait_list waiting_keeper_;
};

}  // namespace weft::detail
