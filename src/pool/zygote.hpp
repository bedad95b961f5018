#pragma once

#include "pool/descriptor.hpp"

#include <chrono>   // for std::chrono::milliseconds
#include <cstdint>  // for std::uint64_t

// The zygote is a second copy of the program that never reaches main(): it has one thread, and forks a worker
// whenever it is asked to. There is one a process, shared by all its pools and started by the first. It
// leaves when the process that started it ends, and its workers leave with it.

namespace weft::detail {

/// From a pool to the zygote, with the worker's descriptors: memory, socket, standard error, bell.
struct spawn_request {
  std::uint64_t worker;
};

/// From the zygote to a pool.
struct zygote_notice {
  enum kind : std::uint32_t {
    spawned,  ///< with the process's descriptor
    exited,   ///< `status` is that of waitpid()
    refused   ///< fork() failed with the error number `status`
  };
  kind what;
  std::int32_t pid;
  std::uint64_t worker;
  std::int32_t status;
};

/// A connection to the zygote, which is started if there is none. When the connection is closed, the zygote
/// kills the workers that were requested over it. Throws error if the zygote cannot be started.
descriptor connect_to_zygote(std::chrono::milliseconds limit);

}  // namespace weft::detail
