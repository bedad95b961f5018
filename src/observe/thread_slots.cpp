#include <weft/observe/detail/thread_slots.hpp>

#include <algorithm>  // for std::max
#include <cstddef>    // for std::size_t
#include <memory>     // for std::unique_ptr
#include <mutex>      // for std::mutex
#include <new>        // for std::align_val_t
#include <utility>    // for std::exchange
#include <vector>     // for std::vector

#include "observe/thread_slots.hpp"

namespace weft::detail {
namespace {

constexpr std::size_t cache_line = 64;

struct free_cells {
  void operator()(std::atomic<std::uint64_t>* cells) const noexcept {
    ::operator delete (cells, std::align_val_t{cache_line});
  }
};
using cell_array = std::unique_ptr<std::atomic<std::uint64_t>, free_cells>;

// Aligned, so that two threads' cells never share a cache line.
cell_array make_cells(std::size_t size) {
  void* memory = ::operator new (size * sizeof(std::atomic<std::uint64_t>), std::align_val_t{cache_line});
  auto* cells = static_cast<std::atomic<std::uint64_t>*>(memory);
  for (std::size_t i = 0; i < size; ++i) {
    new (cells + i) std::atomic<std::uint64_t>(0);
  }
  return cell_array(cells);
}

struct slot_state {
  std::uint64_t retired = 0;  // of threads that have ended
  slot_owner* owner = nullptr;
};

struct registry {
  std::mutex mutex;
  std::vector<slot_state> slots;
  std::vector<std::uint32_t> free;
  std::vector<slot_table*> tables;  // of the threads that run
};

// Never destroyed: threads and static objects may report until the very end.
registry& slots() {
  static registry& instance = *new registry;
  return instance;
}

constinit thread_local bool thread_is_ending = false;

// Folds a thread's cells into the slots when the thread ends.
class thread_exit {
 public:
  ~thread_exit() {
    registry& all = slots();
    const std::lock_guard lock(all.mutex);
    slot_table& table = this_thread_slots;
    thread_is_ending = true;
    for (std::uint32_t slot = 0; slot < table.size; ++slot) {
      const std::uint64_t cell = table.cells[slot].load(std::memory_order_relaxed);
      if (cell == 0) continue;
      slot_state& state = all.slots[slot];
      if (state.owner != nullptr) {
        state.owner->retire(cell);
      } else {
        state.retired += cell;
      }
    }
    std::erase(all.tables, &table);
    free_cells{}(table.cells);
    table = {};
  }
};

}  // namespace

std::unique_lock<std::mutex> lock_slots() {
  return std::unique_lock(slots().mutex);
}

bool reserve_cell(std::uint32_t slot) {
  if (thread_is_ending) return false;
  slot_table& table = this_thread_slots;
  if (slot < table.size) return true;
  registry& all = slots();
  const bool is_new = table.size == 0;
  const std::size_t size = std::max<std::size_t>({64, std::size_t{2} * table.size, all.slots.size()});
  cell_array cells = make_cells(size);
  for (std::uint32_t i = 0; i < table.size; ++i) {
    const std::uint64_t cell = table.cells[i].load(std::memory_order_relaxed);
    cells.get()[i].store(cell, std::memory_order_relaxed);
  }
  if (is_new) {
    all.tables.push_back(&table);
    static thread_local thread_exit hook;
    static_cast<void>(hook);
  }
  free_cells{}(std::exchange(table.cells, cells.release()));
  table.size = static_cast<std::uint32_t>(size);
  return true;
}

std::uint32_t acquire_slot(slot_owner* owner) {
  registry& all = slots();
  const std::lock_guard lock(all.mutex);
  if (!all.free.empty()) {
    const std::uint32_t slot = all.free.back();
    all.free.pop_back();
    all.slots[slot].owner = owner;
    return slot;
  }
  all.free.reserve(all.slots.size() + 1);  // so that release_slot() cannot fail
  all.slots.push_back({.owner = owner});
  return static_cast<std::uint32_t>(all.slots.size() - 1);
}

void release_slot(std::uint32_t slot) noexcept {
  registry& all = slots();
  const std::lock_guard lock(all.mutex);
  // Nobody updates a metric that is being destroyed, so its cells may be cleared from here.
  for (slot_table* table : all.tables) {
    if (slot < table->size) table->cells[slot].store(0, std::memory_order_relaxed);
  }
  all.slots[slot] = {};
  all.free.push_back(slot);
}

std::uint64_t sum_slot(std::uint32_t slot) {
  registry& all = slots();
  const std::lock_guard lock(all.mutex);
  std::uint64_t sum = all.slots[slot].retired;
  for (const slot_table* table : all.tables) {
    if (slot < table->size) sum += table->cells[slot].load(std::memory_order_relaxed);
  }
  return sum;
}

void add_to_slot_slowly(std::uint32_t slot, std::uint64_t amount) noexcept {
  registry& all = slots();
  const std::lock_guard lock(all.mutex);
  try {
    if (reserve_cell(slot)) {
      std::atomic<std::uint64_t>& cell = this_thread_slots.cells[slot];
      cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
      return;
    }
  } catch (const std::bad_alloc&) {  // without a table, the thread adds to what has been retired
  }
  all.slots[slot].retired += amount;
}

}  // namespace weft::detail
