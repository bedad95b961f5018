#pragma once

#include <array>    // for std::array
#include <atomic>   // for std::atomic
#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::uint64_t

namespace weft::detail {

/// What a server counts, over all of its threads.
struct server_figures {
  std::atomic<std::size_t> connections{0};
  std::atomic<std::uint64_t> accepted{0};  // connections, ever
  std::atomic<std::uint64_t> refused{0};   // connections, because there were too many
  std::atomic<std::size_t> in_flight{0};
  std::atomic<std::uint64_t> left{0};                       // requests whose client did not wait
  std::array<std::atomic<std::uint64_t>, 600> responses{};  // by status
};

}  // namespace weft::detail
