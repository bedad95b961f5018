#pragma once

#include <weft/pool/detail/payload.hpp>
#include <weft/pool/future.hpp>
#include <weft/pool/remote.hpp>

#include <chrono>      // for std::chrono::nanoseconds
#include <cstddef>     // for std::size_t
#include <cstdint>     // for std::uint64_t
#include <exception>   // for std::exception_ptr
#include <functional>  // for std::function
#include <map>         // for std::map
#include <memory>      // for std::shared_ptr
#include <optional>    // for std::optional
#include <string>      // for std::string
#include <utility>     // for std::move
#include <vector>      // for std::vector

namespace weft {

/// Whether an exception is of a kind; see kind_of().
using error_kind = bool (*)(const std::exception_ptr& error);

/// The kind of E and what derives from it: `retry_on = {kind_of<io_error>}`.
template <class E>
bool kind_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const E&) {
    return true;
  } catch (...) {
    return false;
  }
}

/// What a running call passed to report_progress(), as its caller sees it; only during the callback.
class progress_message {
 public:
  /// The value; T is the type that was passed.
  template <class T>
  T as() {
    T value{};
    detail::decode(reader_, value);
    return value;
  }

 private:
  friend class detail::process_core;
  explicit progress_message(detail::payload_reader& reader) : reader_(reader) {}
  detail::payload_reader& reader_;
};

/// How single calls differ from what their process_pool does by default; see process_pool::with().
struct call_options {
  /// Of the calls that wait, those with the highest priority start first.
  int priority = 0;
  /// As process_pool_options::timeout; 0 for none.
  std::optional<std::chrono::nanoseconds> timeout = std::nullopt;
  /// As process_pool_options::retries.
  std::optional<int> retries = std::nullopt;
  /// Called with what the call passes to report_progress(), on a thread of the pool's or one that waits for a
  /// call; it must not block. What it throws becomes the call's result.
  std::function<void(progress_message&)> on_progress = nullptr;
};

/// How a process_pool is set up.
struct process_pool_options {
  /// Number of worker processes; 0 for one per core.
  int workers = 0;
  /// How many threads oneTBB and OpenMP may use in each worker; 0 leaves them alone.
  int threads_per_worker = 0;
  /// Called in each worker before anything else. If it throws, so do the calls that wait for a worker.
  remote_call initializer = {};
  /// Called in each worker that leaves in peace.
  remote_call teardown = {};
  /// How often a call is repeated whose worker died or that threw one of `retry_on`.
  int retries = 0;
  /// After which exceptions a call is repeated: `{kind_of<io_error>}`.
  std::vector<error_kind> retry_on = {};
  /// How long a call may run; then its worker is killed and the call fails with timeout_error. 0: for ever.
  std::chrono::nanoseconds timeout{0};
  /// After how many calls a worker is replaced; 0: never.
  std::size_t max_tasks_per_worker = 0;
  /// How many bytes of memory of its own a worker may have; one that has more is killed and its call fails
  /// with memory_limit_exceeded. Looked at every 20 ms, so a worker may exceed it for a moment. 0: no limit.
  std::size_t memory_limit = 0;
  /// Variables that are set in each worker, beside those that the program began with.
  std::map<std::string, std::string> environment = {};
  /// Added to each worker's niceness: 19 runs only when nothing else wants the processor.
  int niceness = 0;
  /// How long a worker may take to start, initializer included, and to leave.
  std::chrono::milliseconds start_timeout{30'000};
  /// How long the destructor lets calls go on, those that wait included. Then what waits is not begun, the
  /// workers of what runs are killed, and all of it fails with pool_closed. 0: at once.
  std::chrono::milliseconds shutdown_timeout{30'000};
  /// Whether what the workers write to their standard error goes to ours.
  bool forward_stderr = true;
  /// What the pool is called in metrics and in the messages of its errors.
  std::string name = "process_pool";
};

namespace detail {

/// A call that some worker is to run. Everything but the virtual functions belongs to the process_core.
class process_call {
 public:
  process_call(const process_call&) = delete;
  process_call& operator=(const process_call&) = delete;

  virtual void store_result(payload_reader& in) = 0;
  virtual void store_error(std::exception_ptr error) noexcept = 0;
  /// Tells whoever waits.
  virtual void complete() noexcept = 0;
  virtual shared_call& shared() noexcept = 0;

  const remote_function* function = nullptr;
  payload arguments;
  std::shared_ptr<const call_options> options;

 protected:
  process_call() = default;
  ~process_call() = default;

 private:
  friend class process_core;
  enum class fate : std::uint8_t { none, cancelled, timed_out, too_large, closed };
  enum class where : std::uint8_t { nowhere, queue, worker, done };

  where place_ = where::nowhere;
  fate fate_ = fate::none;
  int attempts_ = 0;
  std::uint64_t placement_ = 0;
  std::uint32_t slot_ = 0;
  std::uint64_t worker_ = 0;
  std::exception_ptr refusal_;  // what on_progress threw
};

/// What process pools and actors have in common: workers and the calls for them.
struct process_core_options {
  process_pool_options pool;
  /// How often workers may be replaced that have died; negative: for ever.
  int restarts = -1;
};

/// Workers, the calls that wait for one, and a thread that looks after both. See process_core.cpp.
class process_core {
 public:
  static std::shared_ptr<process_core> start(process_core_options options);
  virtual ~process_core() = default;
  process_core(const process_core&) = delete;
  process_core& operator=(const process_core&) = delete;

  /// Adopts one reference to the call.
  virtual void submit(process_call& call) = 0;
  virtual bool cancel(process_call& call) noexcept = 0;
  virtual void help(shared_call& call) noexcept = 0;
  /// Runs what is queued as long as shutdown_timeout allows, ends the workers, and waits for it.
  virtual void close() noexcept = 0;
  virtual std::size_t cancel_queued() noexcept = 0;
  virtual int workers() const noexcept = 0;
  virtual std::vector<int> process_ids() = 0;

 protected:
  process_core() = default;

  // What derived classes may reach of their friends.
  using fate = process_call::fate;
  using where = process_call::where;
  static where& place(process_call& call) noexcept { return call.place_; }
  static fate& doom(process_call& call) noexcept { return call.fate_; }
  static int& attempts(process_call& call) noexcept { return call.attempts_; }
  static std::uint64_t& placement(process_call& call) noexcept { return call.placement_; }
  static std::uint32_t& slot(process_call& call) noexcept { return call.slot_; }
  static std::uint64_t& worker_of(process_call& call) noexcept { return call.worker_; }
  static std::exception_ptr& refusal(process_call& call) noexcept { return call.refusal_; }
  static progress_message make_message(payload_reader& reader) { return progress_message(reader); }
  static const remote_function* function_of(const remote_call& call) noexcept { return call.function_; }
  static const payload* arguments_of(const remote_call& call) noexcept { return call.arguments_.get(); }
};

/// A call whose function returns an R.
template <class R>
class typed_process_call final : public typed_call<R>, public process_call {
 public:
  explicit typed_process_call(std::shared_ptr<process_core> core)
      : typed_call<R>(shared_call::running), core_(std::move(core)) {}

  bool cancel() noexcept override { return core_->cancel(*this); }
  void help() noexcept override { core_->help(*this); }

  void store_result(payload_reader& in) override {
    if constexpr (std::is_void_v<R>) {
      this->result_.template emplace<1>();
    } else {
      R value{};
      decode(in, value);
      this->result_.template emplace<1>(std::move(value));
    }
  }
  void store_error(std::exception_ptr error) noexcept override { this->fail(std::move(error)); }
  void complete() noexcept override { this->finish(); }
  shared_call& shared() noexcept override { return *this; }

 private:
  void execute() noexcept override {}  // never: it is claimed from the start

  std::shared_ptr<process_core> core_;
};

/// Sends a call of F.
template <auto F, class... Args>
future<remote_result<F>> submit_call(const std::shared_ptr<process_core>& core,
                                     std::shared_ptr<const call_options> options, Args&&... arguments) {
  using result = remote_result<F>;
  auto* call = new typed_process_call<result>(core);
  auto handle = future_access::make<result>(call);
  call->function = &registered<F>;
  call->options = std::move(options);
  encode_arguments<std::remove_cvref_t<decltype(F)>>(call->arguments, std::forward<Args>(arguments)...);
  call->retain();
  core->submit(*call);
  return handle;
}

}  // namespace detail

}  // namespace weft
