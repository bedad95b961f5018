#pragma once

#include <compute/kernel_table.hpp>

namespace weft::detail::WEFT_ISA {

void winograd_weight(const winograd_weight_arguments& arguments, const share& own, float* to,
                     std::int64_t step);
void winograd_input(const winograd_planes& planes, const winograd_squares& squares,
                    std::int64_t channel_begin, std::int64_t channel_end, const winograd_points& to,
                    float* scratch);
void winograd_product(const winograd_product_arguments& arguments, const share& own);
void winograd_output(const winograd_output_arguments& arguments, const winograd_squares& squares,
                     const share& own);
void winograd_gradient(const winograd_planes& planes, const winograd_squares& squares,
                       std::int64_t channel_begin, std::int64_t channel_end, const winograd_points& to,
                       float* scratch);
void winograd_weight_gradient(const float* points, std::int64_t step, std::int64_t count, float* to);

}  // namespace weft::detail::WEFT_ISA
