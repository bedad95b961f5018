#pragma once

#include <market/path_kernels.hpp>
#include <weft/market/detail/path_moments.hpp>

#include <cstdint>  // for std::int64_t

struct CUstream_st;

// The kernels of src/market/cuda/: each enqueues its work on a stream and throws cuda_error if it cannot.
// Pointers are to the device's memory. None is called for no paths.
namespace weft::detail::gpu {

/// As path_kernel_table::paths; what the arguments point to is the device's if there are several assets, and
/// otherwise the host's.
void paths(CUstream_st*, const path_arguments&, std::int64_t begin, std::int64_t end, float* values,
           float* controls);
/// The moments of each part of `count` paths; controls may be null.
void moments(CUstream_st*, const float* values, const float* controls, std::int64_t count,
             path_moments* parts);

}  // namespace weft::detail::gpu
