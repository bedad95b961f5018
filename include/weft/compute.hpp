#pragma once

// Floor 4: tensors, executors and the kernels that run on them.

#include <weft/compute/any_executor.hpp>
#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cpu_executor.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/cuda_device.hpp>
#include <weft/compute/cuda_executor.hpp>
#include <weft/compute/dtype.hpp>
#include <weft/compute/executor.hpp>
#include <weft/compute/float16.hpp>
#include <weft/compute/isa.hpp>
#include <weft/compute/kernel_call.hpp>
#include <weft/compute/kernels/adam.hpp>
#include <weft/compute/kernels/elementwise.hpp>
#include <weft/compute/kernels/gather_rows.hpp>
#include <weft/compute/kernels/layer_norm.hpp>
#include <weft/compute/kernels/linear_backward.hpp>
#include <weft/compute/kernels/linear_forward.hpp>
#include <weft/compute/kernels/matmul.hpp>
#include <weft/compute/kernels/normalize.hpp>
#include <weft/compute/kernels/normalize_images.hpp>
#include <weft/compute/kernels/random.hpp>
#include <weft/compute/kernels/reduce.hpp>
#include <weft/compute/kernels/sgd.hpp>
#include <weft/compute/kernels/softmax.hpp>
#include <weft/compute/kernels/softmax_cross_entropy.hpp>
#include <weft/compute/memory.hpp>
#include <weft/compute/npy.hpp>
#include <weft/compute/operations.hpp>
#include <weft/compute/place.hpp>
#include <weft/compute/print.hpp>
#include <weft/compute/safetensors.hpp>
#include <weft/compute/strided_view.hpp>
#include <weft/compute/tensor.hpp>
#include <weft/compute/transfer.hpp>
