#pragma once

#include <atomic>   // for std::atomic
#include <cstdint>  // for std::uint32_t

namespace weft::detail {

// Every metric owns one slot number, and every thread one table of 64-bit cells indexed by it. A cell is
// written by its thread alone, so that an update is a plain load, add and store: no locked instruction and no
// cache line that travels between cores. Readers sum the cells of all threads under a mutex. When a thread
// ends, its cells are folded into what its slots have retired.
struct slot_table {
  std::atomic<std::uint64_t>* cells = nullptr;
  std::uint32_t size = 0;
};

inline constinit thread_local slot_table this_thread_slots{};

// What a slot whose cells are not plain sums does with a thread's cell when that thread ends.
class slot_owner {
 public:
  virtual void retire(std::uint64_t cell) noexcept = 0;

 protected:
  ~slot_owner() = default;
};

std::uint32_t acquire_slot(slot_owner* owner);
void release_slot(std::uint32_t slot) noexcept;

// The value of a summing slot, over the threads that run and those that have ended.
std::uint64_t sum_slot(std::uint32_t slot);

// The update of a thread that has no cell for the slot yet, or whose table is already gone.
void add_to_slot_slowly(std::uint32_t slot, std::uint64_t amount) noexcept;

inline void add_to_slot(std::uint32_t slot, std::uint64_t amount) noexcept {
  slot_table& table = this_thread_slots;
  if (slot < table.size) [[likely]] {
    // Relaxed: this thread is the only writer; the mutex of sum_slot() orders nothing that a sum needs.
    std::atomic<std::uint64_t>& cell = table.cells[slot];
    cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  } else {
    add_to_slot_slowly(slot, amount);
  }
}

}  // namespace weft::detail
