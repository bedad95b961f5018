#include <weft/pool/detail/process_core.hpp>

#include "pool/descriptor.hpp"
#include "pool/protocol.hpp"
#include "pool/socket.hpp"
#include "pool/zygote.hpp"

#include <weft/async/detail/spin.hpp>
#include <weft/core/error.hpp>
#include <weft/pool/detail/pool_gauges.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>           // for std::find_if, std::min
#include <array>               // for std::array
#include <atomic>              // for std::atomic
#include <cerrno>              // for errno
#include <condition_variable>  // for std::condition_variable
#include <csignal>             // for SIGKILL, sigset_t
#include <cstdio>              // for std::sscanf
#include <cstring>             // for strsignal
#include <deque>               // for std::deque
#include <limits>              // for std::numeric_limits
#include <mutex>               // for std::mutex
#include <new>                 // for placement new
#include <optional>            // for std::optional
#include <system_error>        // for std::generic_category
#include <thread>              // for std::thread
#include <unordered_map>       // for std::unordered_map
#include <unordered_set>       // for std::unordered_set

namespace weft::detail {

namespace {

using clock = std::chrono::steady_clock;
using time_point = clock::time_point;

constexpr std::chrono::microseconds result_patience(20);  // before a thread that waits for results sleeps
constexpr std::chrono::milliseconds memory_interval(20);  // between two looks at the workers' memory
constexpr std::chrono::milliseconds retry_interval(50);   // for what a full ring or socket has put off
constexpr std::size_t longest_tail = 4096;                // how much of a worker's standard error is kept
constexpr int most_start_failures = 3;                    // in a row, before waiting calls are failed

constexpr std::uint64_t bell_event = 0;
constexpr std::uint64_t zygote_event = 1;
constexpr std::uint64_t first_worker = 16;

std::string last_lines(const std::string& text) {
  std::size_t begin = text.size();
  while (begin > 0 && text[begin - 1] == '\n') --begin;
  for (int lines = 0; lines < 10 && begin != 0 && begin != std::string::npos; ++lines) {
    begin = text.rfind('\n', begin - 1);
  }
  return begin == std::string::npos || begin == 0 ? text : text.substr(begin + 1);
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) {
    const int number = WTERMSIG(status);
    return "was killed by signal " + std::to_string(number) + " (" + ::strsignal(number) + ")";
  }
  return "ended with exit code " + std::to_string(WEXITSTATUS(status));
}

[[noreturn]] void fail_system(const std::string& what) {
  throw error("process_pool: " + what + ": " + std::generic_category().message(errno));
}

/// One worker process as its pool sees it.
struct worker_process {
  enum class state : std::uint8_t { starting, ready, leaving };

  worker_process(std::uint64_t number, std::size_t position, descriptor memory)
      : id(number),
        index(position),
        memory_file(std::move(memory)),
        page(map(memory_file.get())),
        calls(page->calls, page->call_ring.data()),
        results(page->results, page->result_ring.data()) {
    for (std::uint32_t i = most_ahead; i-- > 0;) free_slots.push_back(i);
  }
  worker_process(const worker_process&) = delete;
  worker_process& operator=(const worker_process&) = delete;
  ~worker_process() { ::munmap(static_cast<void*>(page), sizeof(shared_page)); }

  static shared_page* map(int file) {
    void* address = ::mmap(nullptr, sizeof(shared_page), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (address == MAP_FAILED) fail_system("cannot map a worker's memory");
    return new (address) shared_page;
  }

  void kill() noexcept {
    kill_wanted = true;
    if (handle) ::syscall(SYS_pidfd_send_signal, handle.get(), SIGKILL, nullptr, 0);
  }

  std::uint64_t id;
  std::size_t index;
  descriptor memory_file;
  shared_page* page;
  ring_writer calls;
  state now = state::starting;
  bool kill_wanted = false;
  bool late = false;  // was killed because it took too long to start or to leave
  descriptor handle;  // of the process
  int pid = 0;
  descriptor socket;
  time_point deadline;  // to start or to leave
  std::deque<process_call*> placed;
  std::vector<std::uint32_t> free_slots;
  std::size_t taken = 0;                                        // calls, since it started
  std::unordered_set<std::uint64_t> given;                      // segments that it holds
  std::vector<std::pair<message_kind, std::uint64_t>> notices;  // put off while its ring is full

  // Only with the permission to read results.
  ring_reader results;
  std::unordered_map<std::uint64_t, std::shared_ptr<segment>> result_memory;
  std::exception_ptr start_error;

  // Only the pool's own thread.
  descriptor errors;  // the reading end of its standard error
  std::string tail;
};

class core final : public process_core, public segment_listener {
 public:
  explicit core(process_core_options options) : options_(std::move(options)) {
    bell_ = descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    epoll_ = descriptor(::epoll_create1(EPOLL_CLOEXEC));
    if (!bell_ || !epoll_) fail_system("cannot make a descriptor");
    zygote_ = connect_to_zygote(options_.pool.start_timeout);
    watch(bell_.get(), bell_event);
    watch(zygote_.get(), zygote_event);
    gauges_.emplace(options_.pool.name, [this] { return load(); });
    for (int i = 0; i < options_.pool.workers; ++i) spawn();
    thread_ = std::thread([this] { look_after(); });
  }

  void submit(process_call& call) override {
    std::exception_ptr refusal;
    {
      const std::lock_guard lock(mutex_);
      refusal = dead_;
      if (!refusal) {
        ++unfinished_;
        enqueue(call, false);
        if (short_handed_) ring_bell();
        place_calls();
      }
    }
    if (refusal) fail(call, std::move(refusal), false);
  }

  bool cancel(process_call& call) noexcept override {
    {
      const std::lock_guard lock(mutex_);
      if (place(call) == where::queue) {
        dequeue(call);
      } else if (place(call) == where::worker) {
        worker_process* owner = find(worker_of(call));
        if (owner == nullptr || doom(call) != fate::none) return false;
        if (!take_back(*owner, call)) {
          if (!condemn(*owner, call, fate::cancelled)) return false;
          return true;  // its end will be reported
        }
      } else {
        return false;
      }
      place(call) = where::done;
    }
    fail(call, std::make_exception_ptr(cancelled()), true);
    return true;
  }

  void help(shared_call& call) noexcept override {
    helpers_.fetch_add(1);
    set_sleeping(0);
    const auto end = clock::now() + result_patience;
    for (int looks = 1; !call.ready(); ++looks) {
      if (results_waiting() && drain_.try_lock()) {
        const std::lock_guard lock(drain_, std::adopt_lock);
        drain_all();
        continue;
      }
      pause_processor();
      if (looks % 16 == 0 && clock::now() > end) break;
    }
    if (helpers_.fetch_sub(1) != 1) return;
    set_sleeping(1);
    // What came in meanwhile has woken nobody.
    if (results_waiting()) ring_bell();
  }

  void close() noexcept override {
    {
      std::unique_lock lock(mutex_);
      if (!thread_.joinable()) return;
      const auto now = clock::now();
      const auto longest = std::chrono::duration_cast<std::chrono::milliseconds>(time_point::max() - now);
      if (options_.pool.shutdown_timeout < longest) last_moment_ = now + options_.pool.shutdown_timeout;
      ring_bell();
      idle_.wait(lock, [this] { return unfinished_ == 0; });
      ending_ = true;
      ring_bell();
    }
    thread_.join();
    gauges_.reset();
    zygote_.close();
    epoll_.close();
  }

  std::size_t cancel_queued() noexcept override {
    failed_calls taken;
    {
      const std::lock_guard lock(mutex_);
      take_back_all();
      fail_queue(std::make_exception_ptr(cancelled()), taken);
    }
    fail_all(taken);
    return taken.size();
  }

  int workers() const noexcept override { return options_.pool.workers; }

  std::vector<int> process_ids() override {
    const std::lock_guard lock(mutex_);
    std::vector<int> all;
    for (const auto& worker : workers_) {
      if (worker->now != worker_process::state::leaving && worker->pid != 0) all.push_back(worker->pid);
    }
    return all;
  }

  void segment_gone(std::uint64_t id) noexcept override {
    const std::lock_guard lock(mutex_);
    for (const auto& worker : workers_) {
      if (worker->given.erase(id) != 0) notify(*worker, message_kind::forget, id);
    }
  }

 private:
  // ------------------------------------------------------------------------------------------------- the
  // queue

  static int priority_of(const process_call& call) noexcept {
    return call.options ? call.options->priority : 0;
  }

  void enqueue(process_call& call, bool in_front) {
    auto& line = queue_[priority_of(call)];
    in_front ? line.push_front(&call) : line.push_back(&call);
    place(call) = where::queue;
    doom(call) = fate::none;
  }

  void dequeue(process_call& call) {
    const auto line = queue_.find(priority_of(call));
    line->second.erase(std::find(line->second.begin(), line->second.end(), &call));
    if (line->second.empty() && line->first != 0) queue_.erase(line);
  }

  process_call* next_in_queue() {
    for (auto line = queue_.begin(); line != queue_.end();) {
      if (!line->second.empty()) return line->second.front();
      line = line->first == 0 ? std::next(line) : queue_.erase(line);
    }
    return nullptr;
  }

  void fail(process_call& call, std::exception_ptr why, bool counted) noexcept {
    call.store_error(std::move(why));
    finish(call, counted);
  }

  // Never under a lock: what goes here may be a segment, which locks.
  void finish(process_call& call, bool counted = true) noexcept {
    call.arguments.clear();
    call.complete();
    call.shared().release();
    if (!counted) return;
    const std::lock_guard lock(mutex_);
    if (--unfinished_ == 0) idle_.notify_all();
  }

  using failed_calls = std::vector<std::pair<process_call*, std::exception_ptr>>;

  void fail_all(failed_calls& calls) noexcept {
    for (auto& [call, why] : calls) fail(*call, std::move(why), true);
  }

  pool_load load() noexcept {
    const std::lock_guard lock(mutex_);
    pool_load now{0, 0};
    for (const auto& [priority, line] : queue_) now.queued += line.size();
    for (const auto& worker : workers_) {
      for (process_call* call : worker->placed) ++(begun(*worker, *call) ? now.running : now.queued);
    }
    return now;
  }

  // ------------------------------------------------------------------------------- giving calls to workers

  worker_process* find(std::uint64_t id) noexcept {
    for (const auto& worker : workers_) {
      if (worker->id == id) return worker.get();
    }
    return nullptr;
  }

  bool takes_calls(const worker_process& worker) const noexcept {
    const std::size_t most = options_.pool.max_tasks_per_worker;
    return worker.now == worker_process::state::ready && !worker.kill_wanted &&
           (most == 0 || worker.taken < most);
  }

  void place_calls() {
    while (process_call* call = next_in_queue()) {
      const int priority = priority_of(*call);
      worker_process* best = nullptr;
      std::size_t least = most_ahead;
      for (const auto& worker : workers_) {
        if (!takes_calls(*worker)) continue;
        const std::size_t before = calls_before(*worker, priority);
        if (before >= least) continue;
        least = before;
        best = worker.get();
      }
      if (best == nullptr) return;
      while (!best->placed.empty() && priority_of(*best->placed.back()) < priority) {
        process_call& other = *best->placed.back();
        if (!take_back(*best, other)) break;
        enqueue(other, true);
      }
      if (!put(*best, *call)) return;  // again when a result has made room
    }
    share_out();
  }

  // How many calls would start before one of this priority, and cannot or should not be taken back.
  static std::size_t calls_before(const worker_process& worker, int priority) noexcept {
    std::size_t count = worker.placed.size();
    for (auto next = worker.placed.rbegin(); next != worker.placed.rend() && count > 1; ++next, --count) {
      if (priority_of(**next) >= priority) break;
    }
    return count;
  }

  // A worker without a call gets some that wait in another's ring.
  void share_out() {
    for (const auto& idle : workers_) {
      if (!takes_calls(*idle) || !idle->placed.empty()) continue;
      worker_process* busiest = nullptr;
      for (const auto& worker : workers_) {
        if (worker->placed.size() > 1 && (!busiest || worker->placed.size() > busiest->placed.size())) {
          busiest = worker.get();
        }
      }
      if (busiest == nullptr) return;
      std::vector<process_call*> moved;
      for (std::size_t count = busiest->placed.size() / 2; count > 0; --count) {
        process_call& call = *busiest->placed.back();
        if (!take_back(*busiest, call)) break;
        moved.push_back(&call);
      }
      while (!moved.empty()) {
        process_call& call = *moved.back();
        moved.pop_back();
        if (!takes_calls(*idle) || !put(*idle, call)) {
          enqueue(call, true);
          while (!moved.empty()) {
            enqueue(*moved.front(), true);
            moved.erase(moved.begin());
          }
        }
      }
    }
  }

  bool put(worker_process& worker, process_call& call) {
    if (worker.free_slots.empty()) return false;
    payload& arguments = call.arguments;
    for (const auto& part : arguments.attachments()) {
      if (!give(worker, part)) return false;
    }
    if (arguments.shared() && !give(worker, arguments.shared())) return false;
    const auto bytes = arguments.bytes();
    message_header* message = worker.calls.reserve(arguments.shared() ? 0 : bytes.size());
    if (message == nullptr) return false;
    if (place(call) == where::queue) dequeue(call);
    place(call) = where::worker;
    worker_of(call) = worker.id;
    placement(call) = ++last_placement_;
    slot(call) = worker.free_slots.back();
    worker.free_slots.pop_back();
    worker.page->words[slot(call)].store(call_word(placement(call), call_state::queued),
                                         std::memory_order_relaxed);
    message->kind = message_kind::call;
    message->id = placement(call);
    message->function = call.function->id;
    message->slot = slot(call);
    message->bytes = bytes.size();
    if (arguments.shared()) {
      message->shared = arguments.shared()->id();
    } else if (!bytes.empty()) {
      std::memcpy(message + 1, bytes.data(), bytes.size());
    }
    worker.placed.push_back(&call);
    ++worker.taken;
    publish(worker, *message);
    const auto limit = timeout_of(call);
    auto look = time_point::max();
    if (limit.count() > 0) look = clock::now() + std::chrono::duration_cast<clock::duration>(limit);
    if (options_.pool.memory_limit > 0) look = std::min(look, clock::now() + memory_interval);
    if (look < next_look_) {
      next_look_ = look;
      ring_bell();
    }
    return true;
  }

  bool give(worker_process& worker, const std::shared_ptr<segment>& part) {
    if (worker.given.contains(part->id())) return true;
    const segment_notice notice{part->id(), part->size()};
    if (send_message(worker.socket.get(), notice, {part->descriptor()}, MSG_DONTWAIT) != transfer::done) {
      return false;
    }
    part->note_sent();
    worker.given.insert(part->id());
    return true;
  }

  void publish(worker_process& worker, const message_header& message) {
    if (worker.calls.publish(message)) futex_wake(worker.page->calls.reader_sleeps);
  }

  void notify(worker_process& worker, message_kind kind, std::uint64_t id) {
    message_header* message = worker.calls.reserve(0);
    if (message == nullptr) {
      worker.notices.emplace_back(kind, id);
      return;
    }
    message->kind = kind;
    message->id = id;
    publish(worker, *message);
  }

  // The call is nobody's afterwards.
  bool take_back(worker_process& worker, process_call& call) {
    auto& word = worker.page->words[slot(call)];
    std::uint64_t expected = call_word(placement(call), call_state::queued);
    if (!word.compare_exchange_strong(expected, call_word(placement(call), call_state::revoked)))
      return false;
    release_slot(worker, call);
    --worker.taken;
    return true;
  }

  static bool begun(const worker_process& worker, process_call& call) noexcept {
    return worker.page->words[slot(call)].load(std::memory_order_acquire) !=
           call_word(placement(call), call_state::queued);
  }

  // What no worker has begun goes back to the queue.
  void take_back_all() {
    for (const auto& worker : workers_) {
      while (!worker->placed.empty()) {
        process_call& last = *worker->placed.back();
        if (!take_back(*worker, last)) break;
        enqueue(last, true);
      }
    }
  }

  void release_slot(worker_process& worker, process_call& call) {
    worker.free_slots.push_back(slot(call));
    auto& all = worker.placed;
    if (all.back() == &call) {
      all.pop_back();
    } else {
      all.erase(std::find(all.begin(), all.end(), &call));
    }
    place(call) = where::nowhere;
  }

  bool condemn(worker_process& worker, process_call& call, fate why) {
    auto& word = worker.page->words[slot(call)];
    std::uint64_t expected = call_word(placement(call), call_state::running);
    if (!word.compare_exchange_strong(expected, call_word(placement(call), call_state::condemned)))
      return false;
    doom(call) = why;
    worker.kill();
    return true;
  }

  void ring_bell() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(bell_.get(), &one, sizeof(one));
  }

  // ------------------------------------------------------------------------------------- receiving their
  // results

  void set_sleeping(std::uint32_t value) noexcept {
    const std::lock_guard lock(mutex_);
    for (const auto& worker : workers_)
      worker->page->results.reader_sleeps.store(value, std::memory_order_seq_cst);
  }

  bool results_waiting() noexcept {
    const std::lock_guard lock(mutex_);
    for (const auto& worker : workers_) {
      auto& at = worker->page->results;
      if (at.written.load(std::memory_order_seq_cst) != at.read.load(std::memory_order_relaxed)) return true;
    }
    return false;
  }

  // The functions from here to bury() need `drain_`. Workers are removed by holders of both locks only.
  bool drain_all() {
    bool any = false;
    // By index: spawn() may add one.
    for (std::size_t i = 0; i < workers_.size(); ++i) any = drain(*workers_[i]) || any;
    if (any) {
      const std::lock_guard lock(mutex_);
      place_calls();
    }
    return any;
  }

  bool drain(worker_process& worker) {
    bool any = false;
    while (const message_header* message = worker.results.peek()) {
      any = true;
      receive(worker, *message);
      worker.results.advance(*message);
    }
    return any;
  }

  class arrival final : public segment_source {
   public:
    arrival(worker_process& worker, const message_header& message) : worker_(worker) {
      for (std::uint32_t i = 0; i < message.attachments; ++i) {
        segment_notice notice{};
        std::vector<descriptor> received;
        if (receive_message(worker.socket.get(), notice, received, MSG_DONTWAIT) != transfer::done ||
            received.size() != 1) {
          throw error(
              "process_pool: this process has too many open files to be given a worker's shared memory");
        }
        std::shared_ptr<segment> part = segment::find(notice.id);
        if (!part) part = segment::adopt(notice.id, received.front().release(), notice.bytes);
        if (notice.id == message.shared) {
          worker.result_memory[notice.id] = std::move(part);
        } else {
          parts_.push_back(std::move(part));
        }
      }
    }

    std::shared_ptr<segment> fetch(std::uint64_t id) override {
      const auto found = worker_.result_memory.find(id);
      if (found != worker_.result_memory.end()) return found->second;
      for (const auto& part : parts_) {
        if (part->id() == id) return part;
      }
      if (auto part = segment::find(id)) return part;
      throw error("process_pool: a result refers to shared memory that has not arrived");
    }

   private:
    worker_process& worker_;
    std::vector<std::shared_ptr<segment>> parts_;
  };

  void receive(worker_process& worker, const message_header& message) {
    std::shared_ptr<segment> forgotten;  // ends after the lock
    process_call* call = nullptr;
    const bool final = message.kind == message_kind::result || message.kind == message_kind::failure;
    {
      const std::lock_guard lock(mutex_);
      if (message.kind == message_kind::ready) {
        worker.now = worker_process::state::ready;
        worker.pid = static_cast<int>(message.id);  // the zygote says it too, maybe later
        start_failures_ = 0;
        return;
      }
      if (message.kind == message_kind::forget) {
        forgotten = std::move(worker.result_memory[message.id]);
        worker.result_memory.erase(message.id);
        return;
      }
      if (final || message.kind == message_kind::report) {
        if (worker.placed.empty()) return;
        call = worker.placed.front();
        // One that is condemned waits for its worker's end.
        if (placement(*call) != message.id || doom(*call) != fate::none) call = nullptr;
      }
      if (call != nullptr && final) {
        worker.free_slots.push_back(slot(*call));
        worker.placed.pop_front();
        place(*call) = where::done;
      }
    }
    std::exception_ptr failure;
    try {
      arrival parts(worker, message);
      const std::byte* bytes = reinterpret_cast<const std::byte*>(&message + 1);
      if (message.shared != 0) bytes = parts.fetch(message.shared)->data();
      payload_reader in({bytes, message.bytes}, parts);
      if (message.kind == message_kind::start_failed) {
        worker.start_error = decode_error(in);
      } else if (message.kind == message_kind::failure) {
        failure = decode_error(in);
      } else if (message.kind == message_kind::report) {
        if (call != nullptr && call->options && call->options->on_progress) {
          progress_message told = make_message(in);
          call->options->on_progress(told);
        }
      } else if (call != nullptr) {
        call->store_result(in);
      }
    } catch (...) {
      failure = std::current_exception();
    }
    if (message.shared != 0) {
      const std::lock_guard lock(mutex_);
      notify(worker, message_kind::reuse, message.shared);
    }
    if (call == nullptr) return;
    if (!final) {
      if (failure && !refusal(*call)) refusal(*call) = std::move(failure);
      return;
    }
    if (refusal(*call)) failure = std::move(refusal(*call));
    if (failure) {
      if (again(*call, failure)) return;
      call->store_error(std::move(failure));
    }
    finish(*call);
  }

  // Whether the call goes back to the queue.
  bool again(process_call& call, const std::exception_ptr& failure) {
    const auto& kinds = options_.pool.retry_on;
    if (std::none_of(kinds.begin(), kinds.end(), [&](error_kind is) { return is(failure); })) return false;
    const std::lock_guard lock(mutex_);
    return once_more(call);
  }

  bool once_more(process_call& call) {
    const int most = call.options && call.options->retries ? *call.options->retries : options_.pool.retries;
    if (attempts(call)++ >= most) return false;
    enqueue(call, true);
    return true;
  }

  // ------------------------------------------------------------------------------------- the pool's own
  // thread

  void look_after() {
    // Signals are for the program's own threads, and a closed standard error must not end it.
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    for (;;) {
      bool any = false;
      {
        const std::lock_guard lock(drain_);
        any = drain_all();
      }
      const time_point now = clock::now();
      if (!any || now >= next_tending_) {
        tend(now);
        end_calls(now);
        if (done()) return;
        next_tending_ = now + std::chrono::milliseconds(1);
      }
      if (any || (helpers_.load() == 0 && spin())) continue;
      if (helpers_.load() == 0) {
        set_sleeping(1);
        if (results_waiting()) continue;
      }
      sleep();
    }
  }

  bool spin() {
    {
      const std::lock_guard lock(mutex_);
      if (unfinished_ == 0) return false;
    }
    const auto end = clock::now() + result_patience;
    while (clock::now() < end) {
      if (results_waiting()) return true;
      for (int i = 0; i < 16; ++i) pause_processor();
    }
    return false;
  }

  void sleep() {
    int wait = -1;
    {
      const std::lock_guard lock(mutex_);
      if (next_look_ != time_point::max()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_look_ - clock::now()).count();
        wait = static_cast<int>(std::clamp<decltype(left)>(left, 0, 1'000'000));
      }
    }
    std::array<epoll_event, 16> events{};
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait);
    bool from_zygote = false;
    for (int i = 0; i < count; ++i) {
      const std::uint64_t source = events[static_cast<std::size_t>(i)].data.u64;
      if (source == bell_event) {
        std::uint64_t rung = 0;
        [[maybe_unused]] const auto got = ::read(bell_.get(), &rung, sizeof(rung));
      } else if (source == zygote_event) {
        from_zygote = true;
      } else if (worker_process* worker = find(source)) {  // only this thread removes any
        read_errors(*worker);
      }
    }
    // Last: it may remove workers.
    if (from_zygote) hear_zygote();
  }

  bool done() {
    const std::lock_guard lock(mutex_);
    return ending_ && workers_.empty();
  }

  // What time brings: limits, replacements, the end.
  void tend(time_point now) {
    std::size_t wanted = 0;
    {
      const std::lock_guard lock(mutex_);
      next_look_ = time_point::max();
      for (const auto& worker : workers_) {
        flush_notices(*worker);
        if (worker->now != worker_process::state::ready) {
          if (now >= worker->deadline && !worker->kill_wanted) {
            worker->late = true;
            worker->kill();
          }
          if (ending_ && worker->now == worker_process::state::starting && !worker->kill_wanted)
            worker->kill();
          if (!worker->kill_wanted) next_look_ = std::min(next_look_, worker->deadline);
          continue;
        }
        check_limits(*worker, now);
        const std::size_t most = options_.pool.max_tasks_per_worker;
        const bool used_up = most > 0 && worker->taken >= most && worker->placed.empty();
        if (!worker->kill_wanted && (ending_ || used_up)) retire(*worker, now);
      }
      if (next_in_queue() != nullptr) {
        place_calls();
        if (next_in_queue() != nullptr) next_look_ = std::min(next_look_, now + retry_interval);
      }
      if (short_handed_ && (next_in_queue() == nullptr || !workers_.empty())) return;
      if (ending_ || dead_ || now >= last_moment_) return;
      short_handed_ = false;
      wanted = static_cast<std::size_t>(options_.pool.workers);
      for (const auto& worker : workers_) wanted -= worker->now != worker_process::state::leaving ? 1 : 0;
    }
    try {
      for (; wanted > 0; --wanted) spawn();
    } catch (...) {
      give_up_starting(std::current_exception());
    }
  }

  // When close() has waited long enough.
  void end_calls(time_point now) {
    failed_calls failed;
    {
      const std::lock_guard lock(mutex_);
      if (now < last_moment_) {
        next_look_ = std::min(next_look_, last_moment_);
        return;
      }
      if (unfinished_ == 0) return;
      take_back_all();
      while (process_call* call = next_in_queue()) {
        dequeue(*call);
        place(*call) = where::done;
        const std::string what = options_.pool.name + ": was destroyed before " + call->function->title() +
                                 " had begun, and shutdown_timeout was over";
        failed.emplace_back(call, std::make_exception_ptr(pool_closed(what)));
      }
      for (const auto& worker : workers_) {
        for (process_call* call : worker->placed) condemn(*worker, *call, fate::closed);
      }
      next_look_ = std::min(next_look_, now + std::chrono::milliseconds(1));
    }
    fail_all(failed);
  }

  void flush_notices(worker_process& worker) {
    auto pending = std::exchange(worker.notices, {});
    for (const auto& [kind, id] : pending) notify(worker, kind, id);
    if (!worker.notices.empty()) next_look_ = std::min(next_look_, clock::now() + retry_interval);
  }

  std::chrono::nanoseconds timeout_of(const process_call& call) const noexcept {
    return call.options && call.options->timeout ? *call.options->timeout : options_.pool.timeout;
  }

  void check_limits(worker_process& worker, time_point now) {
    if (worker.placed.empty() || worker.kill_wanted) return;
    if (options_.pool.memory_limit > 0) {
      next_look_ = std::min(next_look_, now + memory_interval);
      if (memory_of(worker) > options_.pool.memory_limit &&
          condemn(worker, *worker.placed.front(), fate::too_large)) {
        return;
      }
    }
    process_call& call = *worker.placed.front();
    const auto limit = std::chrono::duration_cast<clock::duration>(timeout_of(call));
    if (limit.count() <= 0) return;
    time_point end = now + limit;
    const std::uint64_t running = worker.page->running.load(std::memory_order_acquire);
    if (running == placement(call)) {
      end = time_point(clock::duration(worker.page->started.load(std::memory_order_relaxed))) + limit;
      // The time is of a later call if that has begun meanwhile; then this one is done and cannot be
      // condemned.
      if (now >= end && condemn(worker, call, fate::timed_out)) return;
      if (now >= end) end = now + std::chrono::milliseconds(1);
    }
    next_look_ = std::min(next_look_, end);
  }

  // Resident memory that no other process shares.
  static std::size_t memory_of(const worker_process& worker) {
    const std::string path = "/proc/" + std::to_string(worker.pid) + "/statm";
    const descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 128> text{};
    // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection): the kernel answers at once
    if (!file || ::read(file.get(), text.data(), text.size() - 1) <= 0) return 0;
    unsigned long all = 0;
    unsigned long resident = 0;
    unsigned long shared = 0;
    if (std::sscanf(text.data(), "%lu %lu %lu", &all, &resident, &shared) != 3) return 0;
    return (resident - std::min(shared, resident)) * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  }

  void retire(worker_process& worker, time_point now) {
    message_header* message = worker.calls.reserve(inline_size(options_.pool.teardown));
    if (message == nullptr) return;  // the next time
    worker.now = worker_process::state::leaving;
    worker.deadline = now + options_.pool.start_timeout;
    next_look_ = std::min(next_look_, worker.deadline);
    write_function(*message, message_kind::leave, options_.pool.teardown);
    publish(worker, *message);
  }

  static void write_function(message_header& message, message_kind kind, const remote_call& call) {
    message.kind = kind;
    if (!call) return;
    const auto bytes = arguments_of(call)->bytes();
    message.function = function_of(call)->id;
    message.bytes = bytes.size();
    if (const auto& shared = arguments_of(call)->shared()) {
      message.shared = shared->id();
    } else if (!bytes.empty()) {
      std::memcpy(&message + 1, bytes.data(), bytes.size());
    }
  }

  static std::size_t inline_size(const remote_call& call) {
    const payload* arguments = arguments_of(call);
    return arguments == nullptr || arguments->shared() ? 0 : arguments->bytes().size();
  }

  // ------------------------------------------------------------------------------------- how workers come
  // and go

  void watch(int descriptor, std::uint64_t source) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = source;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0)
      fail_system("cannot watch a descriptor");
  }

  std::size_t free_index() {
    for (std::size_t index = 0;; ++index) {
      const auto has_it = [index](const auto& worker) {
        return worker->index == index && worker->now != worker_process::state::leaving;
      };
      if (std::none_of(workers_.begin(), workers_.end(), has_it)) return index;
    }
  }

  void spawn() {
    descriptor memory(::memfd_create("weft-worker", MFD_CLOEXEC));
    if (!memory || ::ftruncate(memory.get(), sizeof(shared_page)) != 0)
      fail_system("cannot make shared memory");
    auto made = std::make_unique<worker_process>(++last_worker_, free_index(), std::move(memory));
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
      fail_system("cannot make a socket");
    made->socket = descriptor(pair[0]);
    const descriptor its_socket(pair[1]);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail_system("cannot make a pipe");
    made->errors = descriptor(ends[0]);
    const descriptor its_errors(ends[1]);
    ::fcntl(made->errors.get(), F_SETFL, O_NONBLOCK);

    worker_setup setup;
    setup.index = made->index;
    setup.niceness = options_.pool.niceness;
    setup.threads = options_.pool.threads_per_worker;
    setup.environment = options_.pool.environment;
    payload bytes;
    encode(bytes, setup);
    for (const auto* call : {&options_.pool.initializer, &options_.pool.teardown}) {
      if (!*call) continue;
      for (const auto& part : arguments_of(*call)->attachments()) give(*made, part);
      if (arguments_of(*call)->shared()) give(*made, arguments_of(*call)->shared());
    }
    message_header* first = made->calls.reserve(bytes.bytes().size());
    if (bytes.shared() || first == nullptr) throw invalid_argument("process_pool: environment is too large");
    first->kind = message_kind::setup;
    first->bytes = bytes.bytes().size();
    std::memcpy(first + 1, bytes.bytes().data(), bytes.bytes().size());
    made->calls.publish(*first);
    message_header* second = made->calls.reserve(inline_size(options_.pool.initializer));
    write_function(*second, message_kind::initialize, options_.pool.initializer);
    made->calls.publish(*second);

    watch(made->errors.get(), made->id);
    made->deadline = clock::now() + options_.pool.start_timeout;
    made->page->results.reader_sleeps.store(1, std::memory_order_seq_cst);
    const int memory_number = made->memory_file.get();
    const int socket_number = its_socket.get();
    const std::uint64_t id = made->id;
    {
      const std::lock_guard drain_lock(drain_);
      const std::lock_guard lock(mutex_);
      next_look_ = std::min(next_look_, made->deadline);
      workers_.push_back(std::move(made));
    }
    // If the zygote has gone, the closed connection will be noticed and the worker replaced.
    send_message(zygote_.get(), spawn_request{id},
                 {memory_number, socket_number, its_errors.get(), bell_.get()});
  }

  void read_errors(worker_process& worker) {
    std::array<char, 4096> text{};
    for (;;) {
      const ssize_t count = ::read(worker.errors.get(), text.data(), text.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) {
        if (count == 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, worker.errors.get(), nullptr);
        return;
      }
      worker.tail.append(text.data(), static_cast<std::size_t>(count));
      if (worker.tail.size() > 2 * longest_tail) worker.tail.erase(0, worker.tail.size() - longest_tail);
      if (options_.pool.forward_stderr) {
        [[maybe_unused]] const auto written =
            ::write(STDERR_FILENO, text.data(), static_cast<std::size_t>(count));
      }
    }
  }

  void hear_zygote() {
    for (;;) {
      zygote_notice notice{};
      std::vector<descriptor> received;
      const transfer outcome = receive_message(zygote_.get(), notice, received, MSG_DONTWAIT);
      if (outcome == transfer::would_block) return;
      if (outcome == transfer::closed) {
        replace_zygote();
        return;
      }
      worker_process* worker = find(notice.worker);
      if (worker == nullptr) continue;
      if (notice.what == zygote_notice::spawned) {
        const std::lock_guard lock(mutex_);
        worker->pid = notice.pid;
        if (!received.empty()) worker->handle = std::move(received.front());
        worker->memory_file.close();
        if (worker->kill_wanted) worker->kill();
      } else if (notice.what == zygote_notice::exited) {
        bury(*worker, how_it_ended(notice.status), WIFSIGNALED(notice.status) ? WTERMSIG(notice.status) : 0,
             WIFEXITED(notice.status) ? WEXITSTATUS(notice.status) : 0);
      } else {
        bury(*worker, "could not be forked: " + std::generic_category().message(notice.status), 0, 0);
      }
    }
  }

  // The zygote's death is its workers' death. Whether they have ended is for their descriptors to say.
  void replace_zygote() {
    for (;;) {
      worker_process* worker = nullptr;
      {
        const std::lock_guard lock(mutex_);
        if (workers_.empty()) break;
        worker = workers_.front().get();
        worker->kill();
      }
      if (worker->handle) {
        pollfd ended{worker->handle.get(), POLLIN, 0};
        while (::poll(&ended, 1, -1) < 0 && errno == EINTR) {
        }
      }
      bury(*worker, "ended with the process that starts the workers", SIGKILL, 0);
    }
    try {
      zygote_ = connect_to_zygote(options_.pool.start_timeout);
      watch(zygote_.get(), zygote_event);
    } catch (...) {
      give_up_starting(std::current_exception());
    }
  }

  void bury(worker_process& worker, const std::string& end, int signal, int exit_code) {
    read_errors(worker);
    std::unique_ptr<worker_process> gone;
    failed_calls failed;
    std::exception_ptr start_failure;
    {
      const std::lock_guard drain_lock(drain_);
      drain(worker);
      const std::lock_guard lock(mutex_);
      const std::string who = options_.pool.name + ": worker " + std::to_string(worker.index) + " (process " +
                              std::to_string(worker.pid) + ") ";
      const std::string words = last_lines(worker.tail);
      const auto died = [&](const std::string& during) {
        return worker_died(who + end + during + (words.empty() ? "" : "; its last words:\n" + words), signal,
                           exit_code, words);
      };
      for (auto next = worker.placed.rbegin(); next != worker.placed.rend(); ++next) {
        process_call& call = **next;
        const std::uint64_t word = worker.page->words[slot(call)].load(std::memory_order_acquire);
        if (word == call_word(placement(call), call_state::queued)) {
          enqueue(call, true);
          continue;
        }
        place(call) = where::done;
        if (doom(call) == fate::none && once_more(call)) continue;
        failed.emplace_back(&call, why_failed(call, died(" while it ran " + call.function->title()), who));
      }
      worker.placed.clear();
      const bool unexpected = worker.now != worker_process::state::leaving;
      if (worker.now == worker_process::state::starting && !ending_) {
        start_failure = worker.start_error;
        ++start_failures_;
        if (!start_failure && start_failures_ >= most_start_failures) {
          const std::string late = worker.late ? " because it took too long to start; see start_timeout" : "";
          start_failure = std::make_exception_ptr(died(late.empty() ? " while it started" : late));
        }
      } else if (unexpected && options_.restarts == 0) {
        dead_ = std::make_exception_ptr(died(" and is not replaced"));
        fail_queue(dead_, failed);
      } else if (unexpected && options_.restarts > 0) {
        --options_.restarts;
      }
      const auto position = std::find_if(workers_.begin(), workers_.end(),
                                         [&](const auto& one) { return one.get() == &worker; });
      gone = std::move(*position);
      workers_.erase(position);
      if (start_failure) short_handed_ = true;
      if (start_failure && workers_.empty()) fail_queue(start_failure, failed);
    }
    fail_all(failed);
  }

  static std::exception_ptr why_failed(process_call& call, const worker_died& died, const std::string& who) {
    switch (doom(call)) {
      case fate::cancelled:
        return std::make_exception_ptr(cancelled());
      case fate::timed_out:
        return std::make_exception_ptr(timeout_error(who + "was killed because " + call.function->title() +
                                                     " did not finish within its time limit"));
      case fate::closed:
        return std::make_exception_ptr(pool_closed(who + "was killed because its pool was destroyed and " +
                                                   call.function->title() +
                                                   " did not finish within shutdown_timeout"));
      case fate::too_large:
        return std::make_exception_ptr(
            memory_limit_exceeded(who + "was killed because " + call.function->title() +
                                      " took more memory than memory_limit allows",
                                  died.signal(), died.exit_code(), died.last_output()));
      default:
        return std::make_exception_ptr(died);
    }
  }

  void fail_queue(const std::exception_ptr& why, failed_calls& failed) {
    start_failures_ = 0;
    while (process_call* call = next_in_queue()) {
      dequeue(*call);
      place(*call) = where::done;
      failed.emplace_back(call, why);
    }
  }

  void give_up_starting(const std::exception_ptr& why) {
    failed_calls failed;
    {
      const std::lock_guard lock(mutex_);
      short_handed_ = true;
      if (workers_.empty()) fail_queue(why, failed);
    }
    fail_all(failed);
  }

  process_core_options options_;
  descriptor bell_;
  descriptor epoll_;
  descriptor zygote_;

  // Taken before mutex_ where both are: whoever has it reads the workers' results.
  std::mutex drain_;
  std::atomic<int> helpers_{0};

  // Guards all that is not said to be somebody's.
  std::mutex mutex_;
  std::condition_variable idle_;
  std::map<int, std::deque<process_call*>, std::greater<>> queue_;
  std::vector<std::unique_ptr<worker_process>> workers_;
  std::uint64_t last_worker_ = first_worker;
  std::uint64_t last_placement_ = 0;
  std::size_t unfinished_ = 0;
  int start_failures_ = 0;
  bool short_handed_ = false;  // workers fail to start: try again with the next call
  bool ending_ = false;
  std::exception_ptr dead_;
  time_point next_look_ = time_point::max();
  time_point last_moment_ = time_point::max();  // for calls, once the pool is being closed
  std::optional<pool_gauges> gauges_;

  time_point next_tending_{};  // the pool's own thread
  std::thread thread_;
};

}  // namespace

std::shared_ptr<process_core> process_core::start(process_core_options options) {
  return std::make_shared<core>(std::move(options));
}

}  // namespace weft::detail
