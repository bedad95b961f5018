#pragma once

#include <weft/compute/place.hpp>

#include <cstddef>  // for std::size_t

namespace weft {

/// Where tensors get their memory if not from the host's heap: a GPU's pool, pinned pages. Shared by the
/// tensors that hold memory of it, so it outlives them.
///
/// Thread safety: implementations are safe to share.
class memory {
 public:
  memory() = default;
  memory(const memory&) = delete;
  memory& operator=(const memory&) = delete;
  virtual ~memory() = default;

  /// Memory for so many bytes, at least one, aligned to tensor_alignment and not initialised; throws
  /// weft::error, naming the place and the bytes, if there is none.
  virtual void* allocate(std::size_t bytes) = 0;
  /// Gives back what allocate(bytes) returned.
  virtual void deallocate(void* data, std::size_t bytes) noexcept = 0;
  /// Whose memory it is.
  virtual place where() const noexcept = 0;
};

}  // namespace weft
