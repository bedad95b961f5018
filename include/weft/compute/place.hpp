#pragma once

#include <cstdint>  // for std::uint8_t
#include <string>   // for std::string, std::to_string

namespace weft {

/// Whose memory elements lie in.
enum class memory_kind : std::uint8_t {
  host,  ///< the processors' memory, pinned or not
  cuda   ///< an NVIDIA GPU's memory; the host must not touch it
};

/// The memory that elements lie in, and that an executor computes in.
struct place {
  memory_kind kind = memory_kind::host;  ///< whose memory
  int index = 0;                         ///< which GPU, the N of "cuda:N"; 0 for the host

  friend bool operator==(const place&, const place&) = default;
};

/// The GPU with this index.
constexpr place cuda_place(int index) noexcept {
  return {memory_kind::cuda, index};
}

/// "cpu" or "cuda:0".
inline std::string to_string(const place& where) {
  return where.kind == memory_kind::host ? "cpu" : "cuda:" + std::to_string(where.index);
}

}  // namespace weft
