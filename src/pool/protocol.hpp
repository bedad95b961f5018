#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>    // for std::array
#include <atomic>   // for std::atomic
#include <climits>  // for INT_MAX
#include <cstddef>  // for std::byte, std::size_t
#include <cstdint>  // for std::uint64_t
#include <cstring>  // for std::memcpy
#include <map>      // for std::map
#include <string>   // for std::string

// What a pool and one worker share: two rings of messages, calls one way and results the other, and a word a
// call that says who has it. Each ring has one writer and one reader. A writer makes a system call only where
// the reader has said that it sleeps.

namespace weft::detail {

/// Waits while the word has this value; may return early.
inline void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAIT, value, nullptr, nullptr, 0);
}
inline void futex_wake(std::atomic<std::uint32_t>& word) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

enum class message_kind : std::uint32_t {
  skip,          ///< the rest of the ring is unused: go on at its beginning
  setup,         ///< to the worker, first of all: worker_setup
  initialize,    ///< to the worker: a function to call before the others
  call,          ///< to the worker
  forget,        ///< either way: the segment `id` has gone
  reuse,         ///< to the worker: the segment `id`, in which it sent a result, has been read
  leave,         ///< to the worker: end; with a function to call before
  ready,         ///< to the pool: the worker, process `id`, waits for calls
  start_failed,  ///< to the pool: the initializer threw this
  result,        ///< to the pool
  failure,       ///< to the pool: what the call threw
  report         ///< to the pool: what a running call passes to report_progress()
};

struct message_header {
  std::uint32_t size;  ///< of header and bytes, rounded up to message_alignment
  message_kind kind;
  std::uint64_t id;        ///< of the call's placement, or of a segment
  std::uint64_t function;  ///< of the function to call
  std::uint64_t shared;    ///< the segment that holds the bytes, 0 if they follow
  std::uint64_t bytes;     ///< how many there are, here or in the segment
  std::uint32_t slot;      ///< which word says who has the call
  std::uint32_t attachments;
  std::uint64_t unused[2];
};
constexpr std::size_t message_alignment = 64;
static_assert(sizeof(message_header) == message_alignment);

struct ring_positions {
  alignas(64) std::atomic<std::uint64_t> written{0};
  alignas(64) std::atomic<std::uint64_t> read{0};
  alignas(64) std::atomic<std::uint32_t> reader_sleeps{0};
  alignas(64) std::atomic<std::uint32_t> writer_sleeps{0};
};

/// Who has a call. The word also holds the placement's number, so that a message that has been revoked cannot
/// be mistaken for a later call in the same slot.
enum class call_state : std::uint64_t { queued, running, done, revoked, condemned };
constexpr std::uint64_t call_word(std::uint64_t placement, call_state state) noexcept {
  return placement * 8 + static_cast<std::uint64_t>(state);
}

constexpr std::size_t ring_bytes = 256U << 10U;
constexpr std::size_t most_ahead =
    64;  // calls in a worker's ring; a call that has waited there can be taken back

struct shared_page {
  ring_positions calls;
  ring_positions results;
  alignas(64) std::atomic<std::uint64_t> running{0};  // the placement, 0 while none
  std::atomic<std::int64_t> started{0};               // when, in nanoseconds of CLOCK_MONOTONIC
  alignas(64) std::array<std::atomic<std::uint64_t>, most_ahead> words{};
  alignas(64) std::array<std::byte, ring_bytes> call_ring;
  alignas(64) std::array<std::byte, ring_bytes> result_ring;
};

/// A segment on its way over the socket, with its descriptor.
struct segment_notice {
  std::uint64_t id;
  std::uint64_t bytes;
};

/// The first message to a worker.
struct worker_setup {
  std::uint64_t index = 0;
  int niceness = 0;
  int threads = 0;
  std::map<std::string, std::string> environment;
};

/// The writing end of a ring.
class ring_writer {
 public:
  ring_writer(ring_positions& positions, std::byte* bytes) noexcept : at_(positions), bytes_(bytes) {}

  /// Room for a message of this many bytes after its header, whose size is set; null if there is none now.
  message_header* reserve(std::size_t bytes) noexcept {
    const std::size_t size =
        (sizeof(message_header) + bytes + message_alignment - 1) & ~(message_alignment - 1);
    const std::uint64_t read = at_.read.load(std::memory_order_acquire);
    const std::size_t offset = next_ % ring_bytes;
    const std::size_t to_end = ring_bytes - offset;
    const std::size_t skipped = size > to_end ? to_end : 0;
    if (next_ + skipped + size - read > ring_bytes) return nullptr;
    if (skipped > 0) {
      auto* filler = reinterpret_cast<message_header*>(bytes_ + offset);
      filler->size = static_cast<std::uint32_t>(skipped);
      filler->kind = message_kind::skip;
      next_ += skipped;
    }
    auto* made = reinterpret_cast<message_header*>(bytes_ + next_ % ring_bytes);
    *made = message_header{};
    made->size = static_cast<std::uint32_t>(size);
    return made;
  }

  /// Hands the reserved message over. Returns whether the reader sleeps and must be woken.
  bool publish(const message_header& message) noexcept {
    next_ += message.size;
    // Sequentially consistent, as is the reader's store to reader_sleeps and its look at `written` after
    // that: one of the two sees the other.
    at_.written.store(next_, std::memory_order_seq_cst);
    return at_.reader_sleeps.load(std::memory_order_seq_cst) != 0 &&
           at_.reader_sleeps.exchange(0, std::memory_order_seq_cst) != 0;
  }

  /// Waits until the reader has read something; it may return early.
  void wait_for_room() noexcept {
    const std::uint64_t before = at_.read.load(std::memory_order_seq_cst);
    at_.writer_sleeps.store(1, std::memory_order_seq_cst);
    if (at_.read.load(std::memory_order_seq_cst) == before) futex_wait(at_.writer_sleeps, 1);
    at_.writer_sleeps.store(0, std::memory_order_relaxed);
  }

 private:
  ring_positions& at_;
  std::byte* bytes_;
  std::uint64_t next_ = 0;
};

/// The reading end of a ring.
class ring_reader {
 public:
  ring_reader(ring_positions& positions, const std::byte* bytes) noexcept : at_(positions), bytes_(bytes) {}

  /// The next message, null if there is none. It stays until advance().
  const message_header* peek() noexcept {
    for (;;) {
      if (next_ == at_.written.load(std::memory_order_acquire)) return nullptr;
      const auto* message = reinterpret_cast<const message_header*>(bytes_ + next_ % ring_bytes);
      if (message->kind != message_kind::skip) return message;
      next_ += message->size;
    }
  }

  void advance(const message_header& message) noexcept {
    next_ += message.size;
    at_.read.store(next_, std::memory_order_seq_cst);
    if (at_.writer_sleeps.load(std::memory_order_seq_cst) != 0 &&
        at_.writer_sleeps.exchange(0, std::memory_order_seq_cst) != 0) {
      futex_wake(at_.writer_sleeps);
    }
  }

  bool empty() const noexcept { return next_ == at_.written.load(std::memory_order_seq_cst); }
  ring_positions& positions() noexcept { return at_; }

 private:
  ring_positions& at_;
  const std::byte* bytes_;
  std::uint64_t next_ = 0;
};

}  // namespace weft::detail
