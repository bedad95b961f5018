#pragma once

#include <weft/core/error.hpp>

#include <cstdint>  // for std::int64_t
#include <string>   // for std::string
#include <vector>   // for std::vector

namespace weft {

/// The CUDA runtime or driver refused a call; what() names the call and CUDA's reason.
class cuda_error : public error {
 public:
  /// @param call the CUDA function that failed; @param code its cudaError_t; @param reason CUDA's words for
  /// it
  cuda_error(const std::string& call, int code, const std::string& reason)
      : error(call + ": " + reason + " (cudaError " + std::to_string(code) + ")"), code_(code) {}

  /// The cudaError_t.
  int code() const noexcept { return code_; }

 private:
  int code_;
};

/// What the driver says about one GPU.
struct cuda_device {
  int index = 0;                  ///< the N of "cuda:N"
  std::string name;               ///< the product, for example "NVIDIA H200"
  std::int64_t memory_bytes = 0;  ///< all of its memory, in bytes
  int compute_major = 0;          ///< compute capability, the 9 of 9.0
  int compute_minor = 0;          ///< compute capability, the 0 of 9.0
  int multiprocessor_count = 0;   ///< streaming multiprocessors
};

/// Whether this build of weft has a CUDA backend (WEFT_CUDA); says nothing about a GPU being there.
///
/// Thread safety: safe.
bool built_with_cuda() noexcept;

/// The GPUs that this process may use, in CUDA's order (CUDA_VISIBLE_DEVICES applies).
///
/// Empty when weft was built without CUDA, when the machine has no NVIDIA driver and when it has no GPU: a
/// program asks, and goes on with the CPU. A driver that is there and fails (too old for the runtime, a
/// broken device) is not the same thing and throws cuda_error.
///
/// Thread safety: safe. It creates no context and leaves the calling thread's current device as it was.
std::vector<cuda_device> cuda_devices();

}  // namespace weft
