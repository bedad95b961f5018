#pragma once

#include <cstdint>  // for std::uint64_t

#include <weft/observe/detail/thread_slots.hpp>

namespace weft {

/// A count that only grows: items pushed, bytes read, tasks failed.
///
/// Each thread adds into a cell of its own, so add() costs about a nanosecond however many threads add at
/// once; value() pays for it by visiting every thread. A counter takes 8 bytes and every thread that has used
/// it 8 more.
///
/// Thread safety: distinct objects safe; shared objects safe. A counter must outlive its users.
class counter {
 public:
  /// Starts at zero. Throws std::bad_alloc.
  counter() : slot_(detail::acquire_slot(nullptr)) {}
  ~counter() { detail::release_slot(slot_); }
  counter(const counter&) = delete;
  counter& operator=(const counter&) = delete;

  /// Adds amount. Never blocks, except for a thread's first use of any new metric.
  void add(std::uint64_t amount = 1) noexcept { detail::add_to_slot(slot_, amount); }

  /// The sum of all that was added before the call, and perhaps of what is being added during it. It takes a
  /// mutex and time proportional to the number of threads: meant for reports, not for hot loops.
  std::uint64_t value() const { return detail::sum_slot(slot_); }

 private:
  std::uint32_t slot_;
};

}  // namespace weft
