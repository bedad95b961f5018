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

  /// The same error with more words. @param what all of them; @param same the error
  cuda_error(const std::string& what, const cuda_error& same) : error(what), code_(same.code_) {}

  /// The cudaError_t.
  int code() const noexcept { return code_; }

 private:
  int code_;
};

/// A GPU has no memory left for what was asked; the device and everything on it can be used as before. Free
/// tensors or take smaller batches.
struct device_out_of_memory : cuda_error {
  using cuda_error::cuda_error;
};

/// A GPU's work failed in a way that leaves its context unusable (an illegal address, a failed assertion, a
/// memory error that could not be corrected): every later call of this process fails the same way, and only a
/// new process can use the device again.
struct device_lost : cuda_error {
  using cuda_error::cuda_error;
};

namespace detail {

/// Throws device_out_of_memory, device_lost or another cuda_error, by the code.
[[noreturn]] void throw_cuda_error(const std::string& call, int code, const std::string& reason);

}  // namespace detail

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
