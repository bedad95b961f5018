#pragma once

#include <cstdint>  // for std::int64_t

namespace weft::detail {

/// At least `count` floats that belong to the calling thread until it calls this again; not initialised. Kept
/// until the thread ends, so that kernels do not allocate once they have run with their largest shapes.
float* thread_scratch(std::int64_t count);

/// The same, other memory: for what the calling thread lends to all threads of a parallel part.
float* shared_scratch(std::int64_t count);

}  // namespace weft::detail
