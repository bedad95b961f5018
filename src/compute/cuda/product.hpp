#pragma once

#include <compute/kernel_table.hpp>

#include <cstdint>  // for std::int64_t

struct CUstream_st;  // what cudaStream_t points to

namespace weft {
class cuda_context;
}

namespace weft::detail {

/// output = after(left * right + bias), by cuBLASLt in full float precision; matrices of a batch are `step`
/// elements apart.
void multiply_matrices(const cuda_context& context, const product_arguments& arguments, std::int64_t rows,
                       std::int64_t columns, std::int64_t batch, std::int64_t left_step,
                       std::int64_t right_step);

/// Adds the bias, if there is one, and applies the activation, in place.
void finish_product(CUstream_st* stream, float* output, const float* bias, std::int64_t columns,
                    std::int64_t count, activation after);

}  // namespace weft::detail
