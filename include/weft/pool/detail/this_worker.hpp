#pragma once

#include <weft/pool/detail/payload.hpp>

namespace weft::detail {

/// Which of its pool's workers this process is, from 0; -1 if it is none.
int this_worker_index() noexcept;

/// Sends the bytes to whoever watches the call that runs here; drops them if this is no worker.
void send_report(payload& bytes);

}  // namespace weft::detail
