#pragma once

// In the place of src/compute/cuda/check.hpp.

#include <weft/core/error.hpp>

namespace weft::detail {

inline namespace emulated {

inline void check_cuda(int status, const char* call) {
  if (status != 0) throw error(call);
}

}  // namespace emulated
}  // namespace weft::detail
