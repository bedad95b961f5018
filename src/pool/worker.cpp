#include "pool/worker.hpp"

#include "pool/descriptor.hpp"
#include "pool/protocol.hpp"
#include "pool/socket.hpp"

#include <weft/async/detail/spin.hpp>
#include <weft/pool/detail/this_worker.hpp>
#include <weft/pool/remote.hpp>

#include <oneapi/tbb/global_control.h>

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>      // for std::find_if
#include <chrono>         // for std::chrono::steady_clock
#include <cstdio>         // for std::fflush
#include <cstdlib>        // for setenv
#include <iostream>       // for std::cout
#include <memory>         // for std::unique_ptr
#include <mutex>          // for std::mutex
#include <optional>       // for std::optional
#include <unordered_map>  // for std::unordered_map
#include <unordered_set>  // for std::unordered_set

namespace weft::detail {

namespace {

using clock = std::chrono::steady_clock;

// How long a worker looks for the next call before it goes to sleep: longer than a pool takes to send the
// next one when its user waits for one result after the other.
constexpr std::chrono::microseconds call_patience(20);

class worker final : public segment_source, public segment_listener {
 public:
  worker(shared_page& page, int socket, int bell)
      : page_(page),
        socket_(socket),
        bell_(bell),
        calls_(page.calls, page.call_ring.data()),
        results_(page.results, page.result_ring.data()) {}

  [[noreturn]] void run() {
    for (;;) {
      const message_header& message = next();
      switch (message.kind) {
        case message_kind::setup:
          set_up(message);
          break;
        case message_kind::initialize:
          initialize(message);
          break;
        case message_kind::call:
          call(message);
          break;
        case message_kind::forget:
          forget(message.id);
          break;
        case message_kind::reuse:
          reuse(message.id);
          break;
        case message_kind::leave:
          leave(message);
        default:
          break;
      }
      calls_.advance(message);
    }
  }

  std::shared_ptr<segment> fetch(std::uint64_t id) override {
    auto found = held_.find(id);
    while (found == held_.end()) {
      // It was sent before the message that names it.
      segment_notice notice{};
      std::vector<descriptor> received;
      if (receive_message(socket_.get(), notice, received) != transfer::done) ::_exit(0);
      auto& place = held_[notice.id];
      if (!received.empty()) {
        place = segment::adopt(notice.id, received.front().release(), notice.bytes);
      }
      found = held_.find(id);
    }
    if (!found->second)
      throw error("shared memory: this worker has too many open files to be given more of it");
    return found->second;
  }

  // One in which results were sent, and which is not kept for others.
  void segment_gone(std::uint64_t id) noexcept override {
    payload nothing;
    send(message_kind::forget, id, nothing);
  }

  int index() const noexcept { return index_; }

  void send(message_kind kind, std::uint64_t id, payload& bytes) {
    const std::lock_guard lock(sending_);  // a call may report from several threads
    std::uint32_t offered = 0;
    for (const auto& part : bytes.attachments()) {
      offer(*part);
      ++offered;
    }
    const std::shared_ptr<segment> shared = bytes.release_shared();
    if (shared) {
      if (known_to_pool_.insert(shared->id()).second) {
        shared->note_sent();
        offer(*shared);
        ++offered;
      }
      unread_[shared->id()] = shared;
    }
    const std::size_t count = bytes.bytes().size();
    message_header* message = results_.reserve(shared ? 0 : count);
    while (message == nullptr) {
      results_.wait_for_room();
      message = results_.reserve(shared ? 0 : count);
    }
    message->kind = kind;
    message->id = id;
    message->bytes = count;
    message->attachments = offered;
    if (shared) {
      message->shared = shared->id();
    } else {
      std::memcpy(message + 1, bytes.bytes().data(), count);
    }
    if (results_.publish(*message)) {
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto written = ::write(bell_.get(), &one, sizeof(one));
    }
  }

  std::uint64_t running() const noexcept { return page_.running.load(std::memory_order_relaxed); }

 private:
  const message_header& next() {
    const message_header* message = calls_.peek();
    if (message != nullptr) return *message;
    const auto end = clock::now() + call_patience;
    for (int looks = 1;; ++looks) {
      message = calls_.peek();
      if (message != nullptr) return *message;
      pause_processor();
      if (looks % 16 == 0 && clock::now() > end) break;
    }
    auto& sleeps = page_.calls.reader_sleeps;
    for (;;) {
      sleeps.store(1, std::memory_order_seq_cst);
      if (!calls_.empty()) {
        sleeps.store(0, std::memory_order_relaxed);
        return *calls_.peek();
      }
      futex_wait(sleeps, 1);
    }
  }

  payload_reader reader_of(const message_header& message) {
    if (message.shared == 0) {
      return {{reinterpret_cast<const std::byte*>(&message + 1), message.bytes}, *this};
    }
    return {{fetch(message.shared)->data(), message.bytes}, *this};
  }

  void set_up(const message_header& message) {
    payload_reader in = reader_of(message);
    worker_setup setup;
    decode(in, setup);
    index_ = static_cast<int>(setup.index);
    for (const auto& [name, value] : setup.environment) ::setenv(name.c_str(), value.c_str(), 1);
    if (setup.niceness != 0) ::setpriority(PRIO_PROCESS, 0, setup.niceness);
    if (setup.threads > 0) {
      const std::string threads = std::to_string(setup.threads);
      for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}) {
        ::setenv(name, threads.c_str(), 1);
      }
      thread_limit_ = std::make_unique<tbb::global_control>(tbb::global_control::max_allowed_parallelism,
                                                            static_cast<std::size_t>(setup.threads));
    }
  }

  void invoke(const message_header& message, payload& out) {
    const remote_function* function = find_function(message.function);
    if (function == nullptr) {
      throw error(
          "process_pool: this worker does not know the function: it stands in a library that the program "
          "loads "
          "after it has started");
    }
    payload_reader in = reader_of(message);
    function->invoke(in, out);
  }

  std::string origin(const message_header& message) const {
    const remote_function* function = find_function(message.function);
    return (function != nullptr ? function->title() : std::string("an unknown function")) + " in worker " +
           std::to_string(index_) + ", process " + std::to_string(::getpid());
  }

  static void flush() {
    std::cout.flush();
    std::fflush(nullptr);
  }

  void initialize(const message_header& message) {
    try {
      payload nothing;
      if (message.function != 0) invoke(message, nothing);
    } catch (...) {
      payload failure;
      encode_error(failure, std::current_exception(), origin(message));
      send(message_kind::start_failed, 0, failure);
      flush();
      ::_exit(1);
    }
    payload nothing;
    send(message_kind::ready, static_cast<std::uint64_t>(::getpid()), nothing);
  }

  void call(const message_header& message) {
    std::atomic<std::uint64_t>& word = page_.words[message.slot];
    std::uint64_t mine = call_word(message.id, call_state::queued);
    if (!word.compare_exchange_strong(mine, call_word(message.id, call_state::running)))
      return;  // taken back
    page_.started.store(clock::now().time_since_epoch().count(), std::memory_order_relaxed);
    page_.running.store(message.id, std::memory_order_release);
    message_kind outcome = message_kind::result;
    std::optional<payload> out(std::in_place);
    try {
      invoke(message, *out);
    } catch (...) {
      outcome = message_kind::failure;
      out.emplace();
      encode_error(*out, std::current_exception(), origin(message));
    }
    send(outcome, message.id, *out);
    // The pool may have read the result, and the word may be that of a later call by now.
    mine = call_word(message.id, call_state::running);
    if (!word.compare_exchange_strong(mine, call_word(message.id, call_state::done)) &&
        mine == call_word(message.id, call_state::condemned)) {
      for (;;) ::pause();  // the next call must not be begun by a process that is about to be killed
    }
    page_.running.store(0, std::memory_order_release);
  }

  void forget(std::uint64_t id) { held_.erase(id); }

  void reuse(std::uint64_t id) {
    std::shared_ptr<segment> read;
    {
      const std::lock_guard lock(sending_);
      const auto found = unread_.find(id);
      if (found == unread_.end()) return;
      read = std::move(found->second);
      unread_.erase(found);
    }
    keep_spare_segment(std::move(read));
  }

  void offer(const segment& part) {
    const segment_notice notice{part.id(), part.size()};
    if (send_message(socket_.get(), notice, {part.descriptor()}) != transfer::done) ::_exit(0);
  }

  [[noreturn]] void leave(const message_header& message) {
    try {
      payload nothing;
      if (message.function != 0) invoke(message, nothing);
    } catch (...) {
      flush();
      ::_exit(1);
    }
    flush();
    // Not exit(): main() has not run here, and static objects belong to the process that it runs in.
    ::_exit(0);
  }

  shared_page& page_;
  descriptor socket_;
  descriptor bell_;
  ring_reader calls_;
  ring_writer results_;
  std::mutex sending_;
  int index_ = -1;
  std::unique_ptr<tbb::global_control> thread_limit_;
  std::unordered_map<std::uint64_t, std::shared_ptr<segment>>
      held_;                                         // what the pool has sent, null if in vain
  std::unordered_set<std::uint64_t> known_to_pool_;  // results have been sent in them
  std::unordered_map<std::uint64_t, std::shared_ptr<segment>> unread_;  // results that the pool reads
};

worker* here = nullptr;

}  // namespace

void run_worker(int memory, int socket, int bell) {
  void* address = ::mmap(nullptr, sizeof(shared_page), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  ::close(memory);
  if (address == MAP_FAILED) ::_exit(1);
  here = new worker(*static_cast<shared_page*>(address), socket, bell);
  here->run();
}

int this_worker_index() noexcept {
  return here == nullptr ? -1 : here->index();
}

void send_report(payload& bytes) {
  if (here != nullptr) here->send(message_kind::report, here->running(), bytes);
}

}  // namespace weft::detail
