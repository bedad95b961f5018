#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <compute/first_bad_row.hpp>
#include <weft/compute/kernels/normalize.hpp>

#include <cmath>   // for std::isfinite
#include <string>  // for std::to_string

namespace weft {
namespace {

constexpr std::int64_t pixels_per_part = 16384;

detail::normalize_arguments arguments_of(const normalize& options, tensor_view<const std::uint8_t, 2> pixels,
                                         const std::int64_t* rows, tensor_view<float, 2> output) {
  if (!std::isfinite(options.mean)) throw invalid_argument("normalize: mean must be finite");
  if (!std::isfinite(options.deviation) || options.deviation == 0.0) {
    throw invalid_argument("normalize: deviation is " + std::to_string(options.deviation) +
                           ": it must be finite and not 0");
  }
  const std::int64_t columns = output.extent(1);
  return {.pixels = {pixels.data(), columns},
          .rows = rows,
          .output = {output.data(), columns},
          .columns = columns,
          .scale = static_cast<float>(1.0 / (255.0 * options.deviation)),
          .shift = static_cast<float>(-options.mean / options.deviation)};
}

void run(const cpu_context& context, const normalize& options, tensor_view<const std::uint8_t, 2> pixels,
         const std::int64_t* rows, tensor_view<float, 2> output) {
  const detail::normalize_arguments arguments = arguments_of(options, pixels, rows, output);
  if (output.empty()) return;
  const auto kernel = detail::kernels_of(context.level()).normalize;
  detail::run_parts(context, output.extent(0), std::max<std::int64_t>(1, pixels_per_part / arguments.columns),
                    [&](std::int64_t begin, std::int64_t end) { kernel(arguments, begin, end); });
}

void run(const cuda_context& context, const normalize& options, tensor_view<const std::uint8_t, 2> pixels,
         const std::int64_t* rows, tensor_view<float, 2> output) {
  const detail::normalize_arguments arguments = arguments_of(options, pixels, rows, output);
  if (!output.empty()) context.kernels().normalize(context.stream(), arguments, output.extent(0));
}

void require_rows(tensor_view<const std::int64_t, 1> rows, tensor_view<const std::uint8_t, 2> pixels,
                  tensor_view<float, 2> output) {
  require_same_shape("normalize", "output", output.extents(), "the chosen rows of pixels",
                     shape<2>{rows.extent(0), pixels.extent(1)});
}

[[noreturn]] void refuse_row(std::int64_t row, tensor_view<const std::uint8_t, 2> pixels) {
  throw invalid_argument("normalize: row " + std::to_string(row) + " is outside pixels of shape " +
                         to_string(pixels.extents()));
}

}  // namespace

void normalize::operator()(const cpu_context& context, tensor_view<const std::uint8_t, 2> pixels,
                           tensor_view<float, 2> output) const {
  require_same_shape("normalize", "pixels", pixels.extents(), "output", output.extents());
  run(context, *this, pixels, nullptr, output);
}

void normalize::operator()(const cuda_context& context, tensor_view<const std::uint8_t, 2> pixels,
                           tensor_view<float, 2> output) const {
  require_same_shape("normalize", "pixels", pixels.extents(), "output", output.extents());
  run(context, *this, pixels, nullptr, output);
}

void normalize::operator()(const cpu_context& context, tensor_view<const std::uint8_t, 2> pixels,
                           tensor_view<const std::int64_t, 1> rows, tensor_view<float, 2> output) const {
  require_rows(rows, pixels, output);
  for (const std::int64_t row : rows) {
    if (row < 0 || row >= pixels.extent(0)) refuse_row(row, pixels);
  }
  run(context, *this, pixels, rows.data(), output);
}

void normalize::operator()(const cuda_context& context, tensor_view<const std::uint8_t, 2> pixels,
                           tensor_view<const std::int64_t, 1> rows, tensor_view<float, 2> output) const {
  require_rows(rows, pixels, output);
  if (rows.empty()) return;
  if (const auto row = detail::find_bad_row(context, rows, pixels.extent(0))) refuse_row(*row, pixels);
  run(context, *this, pixels, rows.data(), output);
}

}  // namespace weft
