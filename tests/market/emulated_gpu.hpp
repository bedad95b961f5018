#pragma once

#include "../../src/market/path_kernels.hpp"

#include <weft/market/detail/path_moments.hpp>

#include <cstdint>

/// The kernels of src/market/cuda/, compiled for the processor as those of compute are.
void emulated_paths(const weft::detail::path_arguments& arguments, std::int64_t begin, std::int64_t end,
                    float* values, float* controls);
void emulated_moments(const float* values, const float* controls, std::int64_t count,
                      weft::detail::path_moments* parts);
