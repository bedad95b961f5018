#include <compute/dispatch.hpp>
#include <weft/compute/kernels/sgd.hpp>

#include <cmath>   // for std::isfinite, std::sqrt
#include <string>  // for std::string, std::to_string
#include <vector>  // for std::vector

namespace weft {
namespace {

constexpr std::int64_t elements_per_part = 16384;

void require_range(const char* name, double value, bool holds, const char* range) {
  if (holds) return;
  throw invalid_argument(std::string("sgd: ") + name + " is " + std::to_string(value) + ": it must be " +
                         range);
}

std::int64_t parts_of(std::int64_t size) {
  return (size + elements_per_part - 1) / elements_per_part;
}

// Calls each(array, begin, end, part) for the parts of all arrays, whose sizes size_of(array) gives.
template <class Array, class Size, class Each>
void for_each_part(const cpu_context& context, std::span<Array> arrays, const Size& size_of,
                   const Each& each) {
  std::int64_t parts = 0;
  for (const auto& array : arrays) parts += parts_of(size_of(array));
  context.parallel_for(parts, [&](std::int64_t part) {
    std::int64_t piece = part;
    const auto* array = arrays.data();
    while (piece >= parts_of(size_of(*array))) piece -= parts_of(size_of(*array++));
    const std::int64_t begin = piece * elements_per_part;
    each(*array, begin, std::min(size_of(*array), begin + elements_per_part), part);
  });
}

}  // namespace

const sgd_options& require_valid(const sgd_options& options) {
  require_range("learning_rate", options.learning_rate,
                std::isfinite(options.learning_rate) && options.learning_rate >= 0.0,
                "finite and at least 0");
  require_range("momentum", options.momentum, options.momentum >= 0.0 && options.momentum < 1.0, "in [0, 1)");
  require_range("weight_decay", options.weight_decay,
                std::isfinite(options.weight_decay) && options.weight_decay >= 0.0, "finite and at least 0");
  if (options.nesterov && options.momentum == 0.0) {
    throw invalid_argument("sgd: nesterov needs a momentum above 0");
  }
  return options;
}

void sgd_step::operator()(const cpu_context& context, std::span<const sgd_parameter> parameters) const {
  require_valid(options);
  const bool moving = options.momentum > 0.0;
  for (const sgd_parameter& array : parameters) {
    const shape<1>& extents = array.parameter.extents();
    require_same_shape("sgd_step", "parameter", extents, "gradient", array.gradient.extents());
    if (moving) require_same_shape("sgd_step", "parameter", extents, "velocity", array.velocity.extents());
  }
  const auto kernel = detail::kernels_of(context.level()).sgd;
  for_each_part(
      context, parameters, [](const sgd_parameter& array) { return array.parameter.size(); },
      [&](const sgd_parameter& array, std::int64_t begin, std::int64_t end, std::int64_t) {
        kernel({.parameter = array.parameter.data(),
                .velocity = moving ? array.velocity.data() : nullptr,
                .gradient = array.gradient.data(),
                .learning_rate = static_cast<float>(options.learning_rate),
                .momentum = static_cast<float>(options.momentum),
                .decay = static_cast<float>(options.weight_decay),
                .nesterov = options.nesterov},
               begin, end);
      });
}

double clip_by_norm::operator()(const cpu_context& context,
                                std::span<const tensor_view<float, 1>> gradients) const {
  if (!(max_norm > 0.0)) {
    throw invalid_argument("clip_by_norm: max_norm is " + std::to_string(max_norm) + ": it must be above 0");
  }
  const auto size_of = [](const tensor_view<float, 1>& array) { return array.size(); };
  std::int64_t parts = 0;
  for (const auto& array : gradients) parts += parts_of(array.size());
  std::vector<double> squares(static_cast<std::size_t>(parts));
  const detail::kernel_table& kernels = detail::kernels_of(context.level());
  for_each_part(
      context, gradients, size_of,
      [&](const tensor_view<float, 1>& array, std::int64_t begin, std::int64_t end, std::int64_t part) {
        squares[static_cast<std::size_t>(part)] = kernels.sum_of_squares(array.data() + begin, end - begin);
      });
  double total = 0.0;
  for (const double square : squares) total += square;
  const double norm = std::sqrt(total);
  if (!std::isfinite(norm) || norm <= max_norm) return norm;
  const float scale = static_cast<float>(max_norm / norm);
  for_each_part(context, gradients, size_of,
                [&](const tensor_view<float, 1>& array, std::int64_t begin, std::int64_t end, std::int64_t) {
                  for (std::int64_t index = begin; index < end; ++index) array(index) *= scale;
                });
  return norm;
}

}  // namespace weft
