#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <weft/compute/kernels/normalize_images.hpp>

#include <cmath>   // for std::isfinite
#include <string>  // for std::to_string

namespace weft {
namespace {

struct coefficients {
  std::vector<float> scale, shift;
};

coefficients checked(const normalize_images& kernel, const shape<4>& pixels, const shape<4>& output) {
  const auto& [images, height, width, channels] = pixels;
  require_same_shape("normalize_images", "output", output, "pixels with the channels outside",
                     shape<4>{images, channels, height, width});
  const auto count = static_cast<std::size_t>(channels);
  if (kernel.mean.size() != count || kernel.deviation.size() != count) {
    throw invalid_argument("normalize_images: there are " + std::to_string(kernel.mean.size()) +
                           " means and " + std::to_string(kernel.deviation.size()) +
                           " deviations for pixels of shape " + to_string(pixels) +
                           ": one a channel is needed");
  }
  coefficients result;
  for (std::size_t channel = 0; channel < count; ++channel) {
    const double mean = kernel.mean[channel];
    const double deviation = kernel.deviation[channel];
    if (!std::isfinite(mean) || !std::isfinite(deviation) || deviation == 0.0) {
      throw invalid_argument("normalize_images: mean " + std::to_string(mean) + " and deviation " +
                             std::to_string(deviation) + " of channel " + std::to_string(channel) +
                             ": they must be finite and the deviation not 0");
    }
    result.scale.push_back(static_cast<float>(1.0 / (255.0 * deviation)));
    result.shift.push_back(static_cast<float>(-mean / deviation));
  }
  return result;
}

}  // namespace

void normalize_images::operator()(const cpu_context& context, tensor_view<const std::uint8_t, 4> pixels,
                                  tensor_view<float, 4> output) const {
  const coefficients each = checked(*this, pixels.extents(), output.extents());
  if (output.empty()) return;
  const detail::normalize_image_arguments arguments{.pixels = pixels.data(),
                                                    .output = output.data(),
                                                    .pixel_count = pixels.extent(1) * pixels.extent(2),
                                                    .channels = pixels.extent(3),
                                                    .scale = each.scale.data(),
                                                    .shift = each.shift.data()};
  const auto kernel = detail::kernels_of(context.level()).normalize_image;
  constexpr std::int64_t elements_per_part = 32768;
  const std::int64_t image = arguments.pixel_count * arguments.channels;
  detail::run_parts(context, pixels.extent(0), std::max<std::int64_t>(1, elements_per_part / image),
                    [&](std::int64_t begin, std::int64_t end) { kernel(arguments, begin, end); });
}

void normalize_images::operator()(const cuda_context& context, tensor_view<const std::uint8_t, 4> pixels,
                                  tensor_view<float, 4> output) const {
  const coefficients each = checked(*this, pixels.extents(), output.extents());
  if (output.empty()) return;
  context.kernels().normalize_images(context.stream(), pixels.data(), output.data(), pixels.extent(0),
                                     pixels.extent(1) * pixels.extent(2), pixels.extent(3), each.scale.data(),
                                     each.shift.data());
}

}  // namespace weft
