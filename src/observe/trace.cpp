#include <weft/observe/trace.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>      // for std::min
#include <array>          // for std::array
#include <cerrno>         // for errno
#include <charconv>       // for std::from_chars
#include <cmath>          // for std::isfinite
#include <cstdlib>        // for std::getenv
#include <fstream>        // for std::ifstream
#include <memory>         // for std::unique_ptr
#include <mutex>          // for std::mutex
#include <new>            // for std::bad_alloc
#include <system_error>   // for std::error_code
#include <unordered_set>  // for std::unordered_set
#include <vector>         // for std::vector

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "observe/json.hpp"

#include <weft/core/error.hpp>

namespace weft {
namespace {

using detail::trace_kind;

struct event {
  const char* name;
  std::uint64_t begin;    // ticks; of a row's span: steady nanoseconds; of an argument: a double's bits
  std::uint64_t payload;  // the end, the value's bits or the flow, by kind
  trace_kind kind;
  std::uint32_t track;
};
static_assert(sizeof(event) == 32);

// Events of one thread in the order in which they ended. Only the owner appends; a release store of `used`
// publishes them to the thread that writes the file.
struct chunk {
  explicit chunk(std::uint32_t size) : capacity(size), events(new event[size]) {}

  std::atomic<std::uint32_t> used{0};
  std::uint32_t capacity;
  std::unique_ptr<event[]> events;
  std::unique_ptr<chunk> next;  // guarded by the mutex of the state

  std::size_t bytes() const noexcept { return sizeof(chunk) + capacity * sizeof(event); }
};

// The first chunk is small, since many threads record little; the others amortise the mutex.
constexpr std::uint32_t first_chunk = 64;
constexpr std::uint32_t largest_chunk = 4096;

struct thread_log {
  std::uint64_t session = 0;
  std::uint64_t id = 0;
  std::string name;                // guarded by the mutex of the state
  std::unique_ptr<chunk> first;    // guarded by the mutex of the state
  chunk* last = nullptr;           // the owner's
  std::uint64_t full_session = 0;  // the owner's: the session whose memory is used up
  std::atomic<std::uint64_t> dropped{0};
  std::atomic<bool> appending{false};  // while true, only the owner may take the chunks away
  bool ended = false;                  // guarded by the mutex of the state
};

// A pair of readings of both clocks at one moment.
struct clock_pair {
  std::uint64_t ticks;
  std::int64_t nanoseconds;
};

struct trace_state {
  std::mutex mutex;
  std::vector<std::unique_ptr<thread_log>> logs;
  std::vector<std::string> tracks;
  std::unordered_set<std::string> names;  // nodes never move
  std::unordered_set<std::uint64_t> thread_ids;
  std::uint64_t next_thread_id = 0;
  std::size_t memory = 0;                    // the bound
  std::size_t used = 0;                      // by the logs of the present recording
  std::atomic<std::uint64_t> session{0};     // odd while recording
  std::atomic<std::uint64_t> unattached{0};  // events dropped by threads that got no log
  std::uint64_t dropped = 0;                 // of the latest recording
  int file = -1;
  std::string path;
  clock_pair begin{};
  std::uint64_t first_flow = 0;  // of the recording
  bool hooks_installed = false;
  trace_state* parent = nullptr;  // what a forked child has left behind
};

// Never destroyed, and replaced in a forked child, whose copy of the mutex may be locked for ever.
constinit std::atomic<trace_state*> the_state{nullptr};

trace_state& state() {
  trace_state* current = the_state.load(std::memory_order_acquire);
  if (current != nullptr) [[likely]] {
    return *current;
  }
  auto made = std::make_unique<trace_state>();
  if (the_state.compare_exchange_strong(current, made.get(), std::memory_order_acq_rel)) {
    return *made.release();
  }
  return *current;
}

// Rows' and reused threads' numbers start above every thread id that Linux gives out.
constexpr std::uint64_t first_free_id = std::uint64_t{1} << 22;

constinit thread_local thread_log* this_log = nullptr;
constinit thread_local std::uint64_t refused_session = 0;  // in which this thread got no log
constinit thread_local bool thread_is_ending = false;
constinit thread_local std::uint64_t next_flow_id = 0;
constinit thread_local std::uint64_t last_flow_id = 0;
constinit thread_local std::uint64_t flow_session = 0;
constinit std::atomic<std::uint64_t> flow_blocks{1};

// Flows are numbered in blocks, so that threads do not contend for numbers; each recording begins with new
// ones, so that arrows out of an earlier one can be told.
constexpr std::uint64_t flow_block = 1024;

struct thread_identity {
  std::string name;
  // A log outlives its thread until it has been written.
  ~thread_identity() {
    thread_is_ending = true;
    if (this_log == nullptr) return;
    trace_state& all = state();
    const std::lock_guard lock(all.mutex);
    this_log->ended = true;
    if (this_log->session != all.session.load(std::memory_order_relaxed)) {
      std::erase_if(all.logs, [](const auto& log) { return log.get() == this_log; });
    }
    this_log = nullptr;
  }
};

thread_identity& identity() {
  static thread_local thread_identity instance;
  return instance;
}

// Ticks ----------------------------------------------------------------------------------------------------

std::int64_t steady_nanoseconds() noexcept {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

#if defined(__x86_64__)
// The kernel uses the counter as its clock only if it runs at one rate on all processors; that it has chosen
// so is the better evidence, the processor's own promise alone says nothing about several sockets.
bool counter_is_a_clock() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid(0x80000007, &a, &b, &c, &d) == 0 || (d & (1U << 8)) == 0) return false;
  std::ifstream file("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  std::string source;
  return static_cast<bool>(file >> source) && source == "tsc";
}
constinit std::atomic<bool> use_counter{false};
#endif

clock_pair read_clocks() noexcept {
  // The reading least disturbed of a few: the one whose two counter readings are closest.
  clock_pair best{};
  std::uint64_t best_width = ~std::uint64_t{0};
  for (int i = 0; i < 5; ++i) {
    const std::uint64_t before = detail::trace_ticks();
    const std::int64_t nanoseconds = steady_nanoseconds();
    const std::uint64_t width = detail::trace_ticks() - before;
    if (width < best_width) {
      best_width = width;
      best = {before + width / 2, nanoseconds};
    }
  }
  return best;
}

// Recording ------------------------------------------------------------------------------------------------

// Makes the thread's log ready for the present recording; the caller holds the mutex. False without memory.
bool attach(trace_state& all, std::uint64_t session) {
  if (all.used + sizeof(thread_log) > all.memory) return false;
  if (this_log == nullptr) {
    auto log = std::make_unique<thread_log>();
    log->name = identity().name;
    all.logs.push_back(std::move(log));
    this_log = all.logs.back().get();
  }
  all.used += sizeof(thread_log);
  this_log->first = nullptr;
  this_log->last = nullptr;
  this_log->dropped.store(0, std::memory_order_relaxed);
  this_log->session = session;
  const auto thread = static_cast<std::uint64_t>(::syscall(SYS_gettid));
  const bool is_new = all.thread_ids.insert(thread).second;
  this_log->id = is_new ? thread : first_free_id + all.next_thread_id++;
  if (this_log->name.empty() && thread != static_cast<std::uint64_t>(::getpid())) {
    std::array<char, 16> name{};
    if (::pthread_getname_np(::pthread_self(), name.data(), name.size()) == 0) this_log->name = name.data();
  }
  return true;
}

// Has the kernel provide a chunk's pages in one call, which costs less than a fault for each of them. Older
// kernels refuse, and fault.
void provide_pages([[maybe_unused]] const chunk& target) noexcept {
#if defined(MADV_POPULATE_WRITE)
  constexpr std::uintptr_t page = 4096;
  const auto begin = (reinterpret_cast<std::uintptr_t>(target.events.get()) + page - 1) & ~(page - 1);
  const auto end = reinterpret_cast<std::uintptr_t>(target.events.get() + target.capacity) & ~(page - 1);
  if (begin < end)
    static_cast<void>(::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_WRITE));
#endif
}

// A log of the present recording with room for n events, or nullptr.
chunk* make_room(std::uint32_t n) noexcept {
  if (thread_is_ending) return nullptr;
  trace_state& all = state();
  const std::uint64_t session = all.session.load(std::memory_order_acquire);
  if ((session & 1) == 0 || refused_session == session) return nullptr;
  if (this_log != nullptr && this_log->full_session == session) return nullptr;
  try {
    std::unique_lock lock(all.mutex);
    if (session != all.session.load(std::memory_order_relaxed)) return nullptr;
    if ((this_log == nullptr || this_log->session != session) && !attach(all, session)) {
      refused_session = session;
      return nullptr;
    }
    thread_log& log = *this_log;
    log.appending.store(true, std::memory_order_relaxed);
    const std::uint32_t size =
        log.last == nullptr ? first_chunk : std::min(2 * log.last->capacity, largest_chunk);
    std::uint32_t affordable = size;
    while (affordable > n && all.used + sizeof(chunk) + affordable * sizeof(event) > all.memory)
      affordable /= 2;
    if (all.used + sizeof(chunk) + affordable * sizeof(event) > all.memory) {
      log.full_session = session;
      return nullptr;
    }
    auto made = std::make_unique<chunk>(affordable);
    chunk* result = made.get();
    all.used += result->bytes();
    (log.last == nullptr ? log.first : log.last->next) = std::move(made);
    log.last = result;
    lock.unlock();
    provide_pages(*result);
    return result;
  } catch (...) {  // no memory from the system either
    return nullptr;
  }
}

// Appends n events of which all or none are kept.
//
// The session is read after `appending` has been set, and release_memory() reads `appending` after it has
// changed the session and has had every thread pass a fence: either that call sees an append under way or the
// append sees that the recording is over.
void append(const event* events, std::uint32_t n) noexcept {
  thread_log* log = this_log;
  trace_state* all = &state();
  if (log != nullptr) log->appending.store(true, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  chunk* target = nullptr;
  std::uint32_t used = 0;
  if (log != nullptr && log->session == all->session.load(std::memory_order_relaxed) &&
      log->last != nullptr) {
    target = log->last;
    used = target->used.load(std::memory_order_relaxed);
  }
  if (target == nullptr || used + n > target->capacity) [[unlikely]] {
    target = make_room(n);
    used = 0;
    if (target == nullptr) {
      log = this_log;
      auto& dropped = log != nullptr && log->session == all->session.load(std::memory_order_relaxed)
                          ? log->dropped
                          : all->unattached;
      dropped.fetch_add(1, std::memory_order_relaxed);
      if (log != nullptr) log->appending.store(false, std::memory_order_release);
      return;
    }
  }
  for (std::uint32_t i = 0; i < n; ++i) {
    target->events[used + i] = events[i];
  }
  target->used.store(used + n, std::memory_order_release);
  this_log->appending.store(false, std::memory_order_release);
}

// Gives the memory of a recording back that has ended: at once, but for threads that are appending even now,
// and on kernels that cannot have all threads pass a fence (before Linux 4.14) for threads that run; those
// give it back on their next event. The caller holds the mutex.
void release_memory(trace_state& all) noexcept {
  std::erase_if(all.logs, [](const auto& log) { return log->ended; });
  if (::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0) return;
  for (const auto& log : all.logs) {
    if (!log->appending.load(std::memory_order_acquire)) log->first = nullptr;
  }
}

// Writing --------------------------------------------------------------------------------------------------

class trace_file {
 public:
  explicit trace_file(trace_state& all) : all_(all), end_(read_clocks()) {
    const auto ticks = static_cast<double>(end_.ticks - all.begin.ticks);
    const auto nanoseconds = static_cast<double>(end_.nanoseconds - all.begin.nanoseconds);
    rate_ = ticks > 0 ? nanoseconds / ticks : 1;
  }

  void write() {
    put(R"({{"displayTimeUnit":"ns","traceEvents":[)"
        "\n"
        R"({{"ph":"M","name":"process_name","pid":{},"tid":0,"args":{{"name":{}}}}})",
        pid_, detail::json_string(program_invocation_short_name));
    std::uint64_t dropped = all_.unattached.load(std::memory_order_relaxed);
    const std::uint64_t session = all_.session.load(std::memory_order_relaxed);
    for (const auto& log : all_.logs) {
      if (log->session != session) continue;
      dropped += log->dropped.load(std::memory_order_relaxed);
      write_log(*log);
    }
    for (std::size_t i = 0; i < all_.tracks.size(); ++i) {
      write_row(track_id(i), all_.tracks[i]);
    }
    all_.dropped = dropped;
    if (dropped > 0) {
      put(",\n"
          R"({{"ph":"i","name":"{} events dropped: the trace's memory was used up","s":"g","cat":"weft",)"
          R"("pid":{},"tid":0,"ts":{}}})",
          dropped, pid_, microseconds(end_.nanoseconds));
    }
    put("\n"
        R"(],"otherData":{{"recorded_events":"{}","dropped_events":"{}","memory_bytes":"{}"}}}})"
        "\n",
        recorded_, dropped, all_.memory);
    flush();
  }

 private:
  // Tracks keep one number for the whole process, far from those of reused threads.
  static std::uint64_t track_id(std::size_t track) { return 2 * first_free_id + track; }

  static std::string microseconds(std::int64_t nanoseconds) {
    return fmt::format("{}.{:03}", nanoseconds / 1000, nanoseconds % 1000);
  }

  std::int64_t nanoseconds(std::uint64_t ticks) const {
    const auto since = static_cast<double>(ticks - all_.begin.ticks);
    return all_.begin.nanoseconds + static_cast<std::int64_t>(std::llround(since * rate_));
  }

  template <class... Values>
  void put(fmt::format_string<Values...> format, Values&&... values) {
    fmt::format_to(std::back_inserter(buffer_), format, std::forward<Values>(values)...);
    if (buffer_.size() > 64 * 1024) flush();
  }

  void flush() {
    const char* from = buffer_.data();
    std::size_t left = buffer_.size();
    while (left > 0) {
      const ::ssize_t written = ::write(all_.file, from, left);
      if (written < 0) {
        if (errno == EINTR) continue;
        throw io_error(all_.path, "write the trace", std::error_code(errno, std::system_category()));
      }
      from += written;
      left -= static_cast<std::size_t>(written);
    }
    buffer_.clear();
  }

  void write_row(std::uint64_t id, const std::string& name) {
    put(",\n"
        R"({{"ph":"M","name":"thread_name","pid":{},"tid":{},"args":{{"name":{}}}}})",
        pid_, id, detail::json_string(name));
  }

  void write_log(const thread_log& log) {
    write_row(log.id, log.name.empty() ? "main" : log.name);
    for (const chunk* c = log.first.get(); c != nullptr; c = c->next.get()) {
      const std::uint32_t used = c->used.load(std::memory_order_acquire);
      for (std::uint32_t i = 0; i < used; ++i) {
        const event& e = c->events[i];
        const bool has_argument = i + 1 < used && c->events[i + 1].kind == trace_kind::argument;
        write_event(log, e, has_argument ? &c->events[i + 1] : nullptr);
        if (has_argument) ++i;
      }
    }
  }

  // What began before the recording did is left out: a span's beginning is not known on this clock, an
  // arrow's tail is not in the file.
  void write_event(const thread_log& log, const event& e, const event* argument) {
    if (e.kind == trace_kind::track_span) {
      const auto begin = static_cast<std::int64_t>(e.begin);
      write_span(track_id(e.track), e.name, begin, static_cast<std::int64_t>(e.payload), nullptr);
      return;
    }
    if (e.begin < all_.begin.ticks) return;
    if (e.kind == trace_kind::flow_in && e.payload < all_.first_flow) return;
    const std::int64_t begin = nanoseconds(e.begin);
    const auto open = [&](const char* phase) {
      ++recorded_;
      put(",\n"
          R"({{"ph":"{}","cat":"weft","name":{},"pid":{},"tid":{},"ts":{})",
          phase, detail::json_string(e.name), pid_, log.id, microseconds(begin));
    };
    switch (e.kind) {
      case trace_kind::span:
        write_span(log.id, e.name, begin, nanoseconds(e.payload), argument);
        break;
      case trace_kind::async_span: {
        open("b");
        const std::uint64_t id = ++async_spans_;
        put(R"(,"id":"{:#x}"{}}})", id, arguments(argument));
        put(",\n"
            R"({{"ph":"e","cat":"weft","name":{},"pid":{},"tid":{},"ts":{},"id":"{:#x}"}})",
            detail::json_string(e.name), pid_, log.id, microseconds(nanoseconds(e.payload)), id);
        break;
      }
      case trace_kind::instant:
        open("i");
        put(R"(,"s":"t"}})");
        break;
      case trace_kind::value:
        open("C");
        put(R"(,"args":{{"value":{}}}}})", detail::json_number(std::bit_cast<double>(e.payload)));
        break;
      case trace_kind::flow_out:
        open("s");
        put(R"(,"id":"{:#x}"}})", e.payload);
        break;
      case trace_kind::flow_in:
        open("f");
        put(R"(,"bp":"e","id":"{:#x}"}})", e.payload);
        break;
      case trace_kind::track_span:
      case trace_kind::argument:
        break;
    }
  }

  void write_span(std::uint64_t thread, const char* name, std::int64_t begin, std::int64_t end,
                  const event* argument) {
    ++recorded_;
    put(",\n"
        R"({{"ph":"X","cat":"weft","name":{},"pid":{},"tid":{},"ts":{},"dur":{}{}}})",
        detail::json_string(name), pid_, thread, microseconds(begin),
        microseconds(std::max(end - begin, std::int64_t{0})), arguments(argument));
  }

  static std::string arguments(const event* argument) {
    if (argument == nullptr) return {};
    return fmt::format(R"(,"args":{{{}:{}}})", detail::json_string(argument->name),
                       detail::json_number(std::bit_cast<double>(argument->begin)));
  }

  trace_state& all_;
  clock_pair end_;
  double rate_ = 1;
  int pid_ = ::getpid();
  std::uint64_t recorded_ = 0;
  std::uint64_t async_spans_ = 0;
  std::string buffer_;
};

// Starting and stopping ------------------------------------------------------------------------------------

void forget_parent() {
  detail::trace_enabled.store(false, std::memory_order_relaxed);
  this_log = nullptr;
  refused_session = 0;
  trace_state* parent = the_state.load(std::memory_order_relaxed);
  if (parent == nullptr) return;
  if (parent->file >= 0) ::close(parent->file);
  auto* made = new trace_state;
  made->parent = parent;
  made->tracks = parent->tracks;
  made->session.store((parent->session.load(std::memory_order_relaxed) | 1) + 1, std::memory_order_relaxed);
  made->hooks_installed = true;
  the_state.store(made, std::memory_order_release);
}

void write_at_exit() {
  try {
    trace::stop();
  } catch (
      ...) {  // the process is leaving and the library does not print: what could be written is in the file
  }
}

std::string expand(std::string path) {
  for (std::size_t at = path.find("%p"); at != std::string::npos; at = path.find("%p", at)) {
    path.replace(at, 2, std::to_string(::getpid()));
  }
  return path;
}

}  // namespace

namespace detail {

std::uint64_t trace_ticks() noexcept {
#if defined(__x86_64__)
  if (use_counter.load(std::memory_order_relaxed)) [[likely]] {
    return __builtin_ia32_rdtsc();
  }
#endif
  return static_cast<std::uint64_t>(steady_nanoseconds());
}

void record_span(trace_kind kind, const char* name, std::uint64_t begin, const char* key,
                 double value) noexcept {
  const std::array<event, 2> events{
      event{name, begin, trace_ticks(), kind, 0},
      event{key, std::bit_cast<std::uint64_t>(value), 0, trace_kind::argument, 0},
  };
  if (!trace::enabled()) return;
  append(events.data(), key == nullptr ? 1 : 2);
}

void record_point(trace_kind kind, const char* name, std::uint64_t payload) noexcept {
  const event e{name, trace_ticks(), payload, kind, 0};
  append(&e, 1);
}

void record_on_track(std::uint32_t track, const char* name, std::int64_t begin, std::int64_t end) noexcept {
  const event e{name, static_cast<std::uint64_t>(begin), static_cast<std::uint64_t>(end),
                trace_kind::track_span, track};
  append(&e, 1);
}

std::uint64_t next_flow() noexcept {
  const std::uint64_t session = state().session.load(std::memory_order_acquire);
  if (next_flow_id == last_flow_id || flow_session != session) {
    flow_session = session;
    next_flow_id = flow_blocks.fetch_add(1, std::memory_order_relaxed) * flow_block;
    last_flow_id = next_flow_id + flow_block;
  }
  return next_flow_id++;
}

}  // namespace detail

trace_name trace_name::intern(std::string_view text) {
  trace_state& all = state();
  const std::lock_guard lock(all.mutex);
  return trace_name(interned{all.names.emplace(text).first->c_str()});
}

void trace::start(std::string path, trace_options options) {
  path = expand(std::move(path));
  trace_state& all = state();
  const std::lock_guard lock(all.mutex);
  if (all.file >= 0) throw error("trace: already recording to " + all.path + ": call trace::stop() first");
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) {
    throw io_error(path, "create the trace", std::error_code(errno, std::system_category()));
  }
  if (!all.hooks_installed) {
    all.hooks_installed = true;
    ::pthread_atfork(nullptr, nullptr, forget_parent);
    std::atexit(write_at_exit);
#if defined(__x86_64__)
    use_counter.store(counter_is_a_clock(), std::memory_order_relaxed);
#endif
  }
  ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
  all.file = file;
  all.path = std::move(path);
  all.memory = options.memory;
  all.used = 0;
  all.unattached.store(0, std::memory_order_relaxed);
  all.dropped = 0;
  all.thread_ids.clear();
  all.next_thread_id = 0;
  all.begin = read_clocks();
  all.first_flow = flow_blocks.load(std::memory_order_relaxed) * flow_block;
  all.session.fetch_add(1, std::memory_order_release);
  detail::trace_enabled.store(true, std::memory_order_release);
}

void trace::stop() {
  trace_state* existing = the_state.load(std::memory_order_acquire);
  if (existing == nullptr) return;
  trace_state& all = *existing;
  const std::lock_guard lock(all.mutex);
  if (all.file < 0) return;
  detail::trace_enabled.store(false, std::memory_order_relaxed);

  // Whatever happens to the file, the recording ends and its memory is given back.
  struct ending {
    trace_state& all;
    ~ending() {
      all.session.fetch_add(1, std::memory_order_release);
      if (all.file >= 0) ::close(all.file);
      all.file = -1;
      release_memory(all);
    }
  } const end{all};

  trace_file(all).write();
  if (::close(std::exchange(all.file, -1)) != 0) {
    throw io_error(all.path, "write the trace", std::error_code(errno, std::system_category()));
  }
}

std::uint64_t trace::dropped() {
  trace_state& all = state();
  const std::lock_guard lock(all.mutex);
  if (all.file < 0) return all.dropped;
  std::uint64_t sum = all.unattached.load(std::memory_order_relaxed);
  for (const auto& log : all.logs) {
    if (log->session == all.session.load(std::memory_order_relaxed)) {
      sum += log->dropped.load(std::memory_order_relaxed);
    }
  }
  return sum;
}

void trace::name_thread(std::string name) {
  trace_state& all = state();
  const std::lock_guard lock(all.mutex);
  if (this_log != nullptr) this_log->name = name;
  if (!thread_is_ending) identity().name = std::move(name);
}

trace::track::track(std::string name) : id_(0) {
  trace_state& all = state();
  const std::lock_guard lock(all.mutex);
  id_ = static_cast<std::uint32_t>(all.tracks.size());
  all.tracks.push_back(std::move(name));
}

namespace {

// The environment is read before main. A wish that cannot be granted ends the program here, by the exception
// that nobody can catch: better than an hour's work whose trace is missing.
const bool started_from_environment = [] {
  const char* path = std::getenv("WEFT_TRACE");
  if (path == nullptr || *path == '\0') return false;
  trace_options options;
  if (const char* memory = std::getenv("WEFT_TRACE_MEMORY"); memory != nullptr) {
    const std::string_view text(memory);
    std::size_t mebibytes = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), mebibytes);
    if (code != std::errc() || end != text.data() + text.size() || mebibytes == 0 || mebibytes > (1U << 20)) {
      throw invalid_argument("WEFT_TRACE_MEMORY is '" + std::string(text) +
                             "', but must be a number of MiB from 1 to 1048576");
    }
    options.memory = mebibytes << 20;
  }
  trace::start(path, options);
  return true;
}();

}  // namespace

}  // namespace weft
