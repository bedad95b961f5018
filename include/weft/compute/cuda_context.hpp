#pragma once

#include <weft/compute/place.hpp>

#include <cstddef>  // for std::size_t

struct CUstream_st;  // what cudaStream_t points to

namespace weft {

namespace detail {

class kernel_state;
struct cuda_kernel_table;
class cuda_stream;

}  // namespace detail

/// What a kernel on a GPU is given: a stream of the device that is current on this thread. The kernel
/// enqueues its work there and returns; the executor waits for it. A kernel that returns a value must wait
/// for the stream itself, with synchronize().
///
/// Thread safety: used by one thread at a time.
class cuda_context {
 public:
  /// Made by cuda_executor, which owns the stream.
  explicit cuda_context(detail::cuda_stream& owner) noexcept : owner_(&owner) {}

  /// The stream, a cudaStream_t.
  CUstream_st* stream() const noexcept;
  /// The GPU.
  place where() const noexcept;
  /// Waits for all work of the stream; throws cuda_error with what went wrong in it.
  void synchronize() const;
  /// Device memory of at least so many bytes, aligned to 256, for work of this kernel; the next call, of this
  /// or of a later kernel, may give the same memory again. Throws weft::error if there is none.
  void* scratch(std::size_t bytes) const;

  /// Copies bytes to or from the device's memory, in the stream. Memory of the host that is not pinned is
  /// read before this returns.
  void copy(void* to, const void* from, std::size_t bytes) const;

  /// Whether the device copies from there without the host's help: it is pinned memory, or a GPU's.
  bool copies_alone(const void* from) const;

  /// weft's own GPU kernels.
  const detail::cuda_kernel_table& kernels() const noexcept;
  /// Tells the owner that a call's work is now in the stream.
  void launched(detail::kernel_state& call) const;
  /// Waits for what a call had put into the stream before it failed: it uses the caller's memory.
  void settle() const noexcept;

 private:
  detail::cuda_stream* owner_;
};

}  // namespace weft
