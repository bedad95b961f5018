#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <compute/option_range.hpp>
#include <weft/compute/kernels/sgd.hpp>

#include <cmath>   // for std::isfinite, std::sqrt
#include <string>  // for std::string, std::to_string
#include <vector>  // for std::vector

namespace weft {
namespace {

constexpr std::int64_t sgd_part = 16384;  // elements

std::int64_t parts_of(std::int64_t size) {
  return (size + sgd_part - 1) / sgd_part;
}

// Calls each(array, begin, end, part) for the parts of all arrays, whose sizes size_of(array) gives.
template <class Array, class Size, class Each>
void for_each_part(const cpu_context& context, std::span<Array> arrays, const Size& size_of,
                   const Each& each) {
  std::int64_t parts = 0;
  for (const auto& array : arrays) parts += parts_of(size_of(array));
  context.parallel_for(
      parts,
      [&](std::int64_t part) {
        std::int64_t piece = part;
        const auto* array = arrays.data();
        while (piece >= parts_of(size_of(*array))) piece -= parts_of(size_of(*array++));
        const std::int64_t begin = piece * sgd_part;
        each(*array, begin, std::min(size_of(*array), begin + sgd_part), part);
      },
      detail::least_parts);
}

detail::sgd_arguments arguments_of(const sgd_options& options, const sgd_parameter& array) {
  return {.parameter = array.parameter.data(),
          .velocity = options.momentum > 0.0 ? array.velocity.data() : nullptr,
          .gradient = array.gradient.data(),
          .learning_rate = static_cast<float>(options.learning_rate),
          .momentum = static_cast<float>(options.momentum),
          .decay = static_cast<float>(options.weight_decay),
          .nesterov = options.nesterov};
}

void check(const sgd_options& options, std::span<const sgd_parameter> parameters) {
  require_valid(options);
  for (const sgd_parameter& array : parameters) {
    const shape<1>& extents = array.parameter.extents();
    require_same_shape("sgd_step", "parameter", extents, "gradient", array.gradient.extents());
    if (options.momentum > 0.0) {
      require_same_shape("sgd_step", "parameter", extents, "velocity", array.velocity.extents());
    }
  }
}

void require_norm(double max_norm) {
  if (max_norm > 0.0) return;
  throw invalid_argument("clip_by_norm: max_norm is " + std::to_string(max_norm) + ": it must be above 0");
}

}  // namespace

const sgd_options& require_valid(const sgd_options& options) {
  detail::require_range("sgd", "learning_rate", options.learning_rate,
                        std::isfinite(options.learning_rate) && options.learning_rate >= 0.0,
                        "finite and at least 0");
  detail::require_range("sgd", "momentum", options.momentum,
                        options.momentum >= 0.0 && options.momentum < 1.0, "in [0, 1)");
  detail::require_range("sgd", "weight_decay", options.weight_decay,
                        std::isfinite(options.weight_decay) && options.weight_decay >= 0.0,
                        "finite and at least 0");
  if (options.nesterov && options.momentum == 0.0) {
    throw invalid_argument("sgd: nesterov needs a momentum above 0");
  }
  return options;
}

void sgd_step::operator()(const cpu_context& context, std::span<const sgd_parameter> parameters) const {
  check(options, parameters);
  const auto kernel = detail::kernels_of(context.level()).sgd;
  for_each_part(
      context, parameters, [](const sgd_parameter& array) { return array.parameter.size(); },
      [&](const sgd_parameter& array, std::int64_t begin, std::int64_t end, std::int64_t) {
        kernel(arguments_of(options, array), begin, end);
      });
}

void sgd_step::operator()(const cuda_context& context, std::span<const sgd_parameter> parameters) const {
  check(options, parameters);
  std::vector<detail::sgd_arguments> arrays;
  std::vector<std::int64_t> sizes;
  for (const sgd_parameter& array : parameters) {
    arrays.push_back(arguments_of(options, array));
    sizes.push_back(array.parameter.size());
  }
  context.kernels().sgd(context.stream(), arrays.data(), sizes.data(),
                        static_cast<std::int64_t>(arrays.size()));
}

double clip_by_norm::operator()(const cpu_context& context,
                                std::span<const tensor_view<float, 1>> gradients) const {
  require_norm(max_norm);
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

double clip_by_norm::operator()(const cuda_context& context,
                                std::span<const tensor_view<float, 1>> gradients) const {
  require_norm(max_norm);
  std::vector<float*> arrays;
  std::vector<std::int64_t> sizes;
  for (const tensor_view<float, 1>& array : gradients) {
    arrays.push_back(array.data());
    sizes.push_back(array.size());
  }
  const auto count = static_cast<std::int64_t>(arrays.size());
  const std::int64_t needed = context.kernels().squares_needed(sizes.data(), count);
  auto* sums = static_cast<double*>(context.scratch(static_cast<std::size_t>(needed) * sizeof(double)));
  context.kernels().sum_of_squares(context.stream(), arrays.data(), sizes.data(), count, sums);
  double total = 0.0;
  context.copy(&total, sums, sizeof total);
  context.synchronize();
  const double norm = std::sqrt(total);
  if (!std::isfinite(norm) || norm <= max_norm) return norm;
  context.kernels().scale(context.stream(), arrays.data(), sizes.data(), count,
                          static_cast<float>(max_norm / norm));
  return norm;
}

}  // namespace weft
