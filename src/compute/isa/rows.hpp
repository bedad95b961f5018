#pragma once

#include <compute/kernel_table.hpp>

namespace weft::detail::WEFT_ISA {

void softmax(const softmax_arguments& arguments, std::int64_t row_begin, std::int64_t row_end);
void softmax_backward(const softmax_backward_arguments& arguments, std::int64_t row_begin,
                      std::int64_t row_end);
void layer_norm(const layer_norm_arguments& arguments, std::int64_t row_begin, std::int64_t row_end);
void layer_norm_backward(const layer_norm_backward_arguments& arguments, std::int64_t row_begin,
                         std::int64_t row_end);
void layer_norm_parameters(const layer_norm_parameters_arguments& arguments, std::int64_t column_begin,
                           std::int64_t column_end);
void sgd(const sgd_arguments& arguments, std::int64_t begin, std::int64_t end);
void normalize_image(const normalize_image_arguments& arguments, std::int64_t image_begin,
                     std::int64_t image_end);
void max_pool(const window& moving, const float* plane, float* output, std::int32_t* where);
void average_pool(const window& moving, const float* plane, float* output);
void random(const random_arguments& arguments, std::int64_t block_begin, std::int64_t block_end,
            std::int64_t count);

}  // namespace weft::detail::WEFT_ISA
