#pragma once

#include "../../src/market/path_kernels.hpp"
#include "own_paths.hpp"

#include <weft/market/detail/path_moments.hpp>
#include <weft/market/detail/path_program.hpp>

#include <cstdint>

/// The kernels of src/market/cuda/, compiled for the processor as those of compute are.
void emulated_paths(const weft::detail::path_arguments& arguments, std::int64_t begin, std::int64_t end,
                    float* values, float* controls);
void emulated_moments(const float* values, const float* controls, std::int64_t count,
                      weft::detail::path_moments* parts);

/// Motions that have code for this GPU, with own_mean.
struct emulated_motion : own_motion {};
struct emulated_pair_of_motions : own_pair_of_motions {};

/// What each path pays on a context whose memory is the processor's.
weft::detail::path_results values_on_emulated_gpu(const weft::detail::path_program& program,
                                                  weft::detail::path_range range);
