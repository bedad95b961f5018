#pragma once

#include <weft/compute/memory.hpp>

#include <memory>  // for std::shared_ptr

namespace weft::detail {

/// Memory of a GPU from its own pool, which keeps what was freed for later. What is allocated may be used on
/// any stream at once; what is given back must no longer be in use on any.
std::shared_ptr<memory> make_device_memory(int device);

}  // namespace weft::detail
