#pragma once

namespace weft::detail {

/// What a worker does from its fork to its end; takes the descriptors over.
///
/// @param memory the shared_page; @param socket for segments; @param bell an eventfd that wakes the pool
[[noreturn]] void run_worker(int memory, int socket, int bell);

}  // namespace weft::detail
