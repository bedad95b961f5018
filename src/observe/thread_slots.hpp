#pragma once

#include <cstdint>  // for std::uint32_t
#include <mutex>    // for std::unique_lock

#include <weft/observe/detail/thread_slots.hpp>

namespace weft::detail {

// The mutex of all slots: slot owners guard what their cells point to with it.
std::unique_lock<std::mutex> lock_slots();

// Makes sure that this thread's table has a cell for the slot; false if the thread is ending and has no table
// any more. The caller holds the mutex. Throws std::bad_alloc.
bool reserve_cell(std::uint32_t slot);

}  // namespace weft::detail
