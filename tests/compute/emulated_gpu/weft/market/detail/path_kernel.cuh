#pragma once

// In the place of include/weft/market/detail/path_kernel.cuh: what its threads do, one path after the other.

#include <weft/market/detail/path_loop.hpp>

#include <cstdint>

struct CUstream_st;

namespace weft::detail {

inline namespace emulated {

template <class Path>
void launch_paths(CUstream_st*, const Path& all, const path_window& window) {
  for (std::int64_t index = 0; index < window.count; ++index) pay_path(all, window, index);
}

}  // namespace emulated
}  // namespace weft::detail
