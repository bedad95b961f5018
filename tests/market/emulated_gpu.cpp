#include "emulated_gpu.hpp"

// The names of the kernels are others, because the library may have them too.
#define gpu emulated_market_kernels

#include "../../src/market/cuda/paths.cu"

void emulated_paths(const weft::detail::path_arguments& arguments, std::int64_t begin, std::int64_t end,
                    float* values, float* controls) {
  weft::detail::gpu::paths(nullptr, arguments, begin, end, values, controls);
}

void emulated_moments(const float* values, const float* controls, std::int64_t count,
                      weft::detail::path_moments* parts) {
  weft::detail::gpu::moments(nullptr, values, controls, count, parts);
}
