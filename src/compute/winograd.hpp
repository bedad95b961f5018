#pragma once

#include <compute/kernel_table.hpp>
#include <weft/compute/cpu_context.hpp>
#include <weft/core/shape.hpp>

#include <cstdint>  // for std::int64_t

namespace weft::detail {

/// The two ways of a convolution in squares of 2 x 2 outputs.
enum class winograd_use { output, weight_gradient };

/// Whether a convolution of stride 1 with that weight and output is faster in squares than without: it is
/// where there are enough products for each input, output and weight that must be spread for it. It depends
/// on shapes only.
bool is_worth_winograd(winograd_use use, const shape<4>& weight, const shape<4>& output) noexcept;

/// output = weight * patches + bias at stride 1, for a weight of 3 x 3; a bias that is null is 0.
void winograd_convolve(const cpu_context& context, const winograd_planes& planes,
                       const winograd_weight_arguments& weight, const float* bias, const shape<4>& extents,
                       float* output);

/// The weight's gradient, output_gradient * transpose(patches), with the planes of the output's gradient,
/// which have no border.
void winograd_correlate(const cpu_context& context, const winograd_planes& planes,
                        const winograd_planes& output_gradient, std::int64_t images, float* weight_gradient);

}  // namespace weft::detail
