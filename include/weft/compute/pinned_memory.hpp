#pragma once

#include <weft/compute/memory.hpp>

#include <memory>  // for std::shared_ptr

namespace weft {

/// Whether pinned_memory() gives pinned pages: this build has CUDA and this machine a GPU.
///
/// Thread safety: safe.
bool can_pin_memory();

/// Host memory whose pages stay where they are, so that a GPU copies from and to it by itself while both go
/// on with other work. Where can_pin_memory() is false, it is ordinary memory: programs are the same with and
/// without a GPU. Pinning takes about as long as copying does: take it through a staging_pool.
///
/// Throws cuda_error if there is a driver that fails.
///
/// Thread safety: safe.
std::shared_ptr<memory> pinned_memory();

}  // namespace weft
