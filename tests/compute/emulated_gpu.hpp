#pragma once

#include <weft/compute/cuda_context.hpp>

#include <functional>

/// Calls run(context) with the context of a GPU that is not there: its kernels are those of
/// src/compute/cuda/, compiled for the processor (emulated_gpu/compute/cuda/launch.cuh), its memory is the
/// host's, and its products are plain loops.
void on_emulated_gpu(const std::function<void(const weft::cuda_context&)>& run);
