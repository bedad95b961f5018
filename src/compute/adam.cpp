#include <compute/adam_coefficients.hpp>
#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <compute/option_range.hpp>
#include <weft/compute/kernels/adam.hpp>

#include <algorithm>  // for std::min
#include <cmath>      // for std::pow, std::sqrt, std::isfinite
#include <string>     // for std::string, std::to_string
#include <vector>     // for std::vector

namespace weft {
namespace {

// Enough arithmetic to be worth a task; a multiple of every register's width.
constexpr std::int64_t parameters_per_part = 16384;

std::int64_t parts_of(const adam_parameter& array) {
  return (array.parameter.size() + parameters_per_part - 1) / parameters_per_part;
}

}  // namespace

const adam_options& require_valid(const adam_options& options) {
  detail::require_range("adam", "learning_rate", options.learning_rate,
                        std::isfinite(options.learning_rate) && options.learning_rate >= 0.0,
                        "finite and at least 0");
  detail::require_range("adam", "beta1", options.beta1, options.beta1 >= 0.0 && options.beta1 < 1.0,
                        "in [0, 1)");
  detail::require_range("adam", "beta2", options.beta2, options.beta2 >= 0.0 && options.beta2 < 1.0,
                        "in [0, 1)");
  detail::require_range("adam", "epsilon", options.epsilon,
                        std::isfinite(options.epsilon) && options.epsilon >= 0.0, "finite and at least 0");
  detail::require_range("adam", "weight_decay", options.weight_decay,
                        std::isfinite(options.weight_decay) && options.weight_decay >= 0.0,
                        "finite and at least 0");
  return options;
}

namespace detail {

adam_coefficients coefficients_of(const adam_options& options, std::int64_t step) {
  require_valid(options);
  if (step < 1) throw invalid_argument("adam: step is " + std::to_string(step) + ": the first step is 1");
  const double t = static_cast<double>(step);
  return {
      .decay = static_cast<float>(1.0 - options.learning_rate * options.weight_decay),
      .beta1 = static_cast<float>(options.beta1),
      .one_minus_beta1 = static_cast<float>(1.0 - options.beta1),
      .beta2 = static_cast<float>(options.beta2),
      .one_minus_beta2 = static_cast<float>(1.0 - options.beta2),
      .step_size = static_cast<float>(options.learning_rate / (1.0 - std::pow(options.beta1, t))),
      .inverse_root_of_correction2 = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(options.beta2, t))),
      .epsilon = static_cast<float>(options.epsilon)};
}

}  // namespace detail

namespace {

void check_shapes(std::span<const adam_parameter> parameters) {
  for (const adam_parameter& array : parameters) {
    const shape<1>& extents = array.parameter.extents();
    require_same_shape("adam_step", "parameter", extents, "gradient", array.gradient.extents());
    require_same_shape("adam_step", "parameter", extents, "first_moment", array.first_moment.extents());
    require_same_shape("adam_step", "parameter", extents, "second_moment", array.second_moment.extents());
  }
}

}  // namespace

void adam_step::operator()(const cuda_context& context, std::span<const adam_parameter> parameters) const {
  check_shapes(parameters);
  const detail::adam_coefficients coefficients = detail::coefficients_of(options, step);
  std::vector<detail::adam_arguments> arrays;
  std::vector<std::int64_t> sizes;
  for (const adam_parameter& array : parameters) {
    arrays.push_back({.parameter = array.parameter.data(),
                      .first = array.first_moment.data(),
                      .second = array.second_moment.data(),
                      .gradient = array.gradient.data(),
                      .coefficients = nullptr});
    sizes.push_back(array.parameter.size());
  }
  context.kernels().adam(context.stream(), arrays.data(), sizes.data(),
                         static_cast<std::int64_t>(arrays.size()), coefficients);
}

void adam_step::operator()(const cpu_context& context, std::span<const adam_parameter> parameters) const {
  check_shapes(parameters);
  std::int64_t parts = 0;
  for (const adam_parameter& array : parameters) parts += parts_of(array);
  const detail::adam_coefficients coefficients = detail::coefficients_of(options, step);
  const auto kernel = detail::kernels_of(context.level()).adam;
  // Parts are numbered through all arrays, so that one pass over the threads is enough.
  context.parallel_for(
      parts,
      [&](std::int64_t part) {
        const adam_parameter* array = parameters.data();
        while (part >= parts_of(*array)) part -= parts_of(*array++);
        const detail::adam_arguments arguments{.parameter = array->parameter.data(),
                                               .first = array->first_moment.data(),
                                               .second = array->second_moment.data(),
                                               .gradient = array->gradient.data(),
                                               .coefficients = &coefficients};
        const std::int64_t begin = part * parameters_per_part;
        kernel(arguments, begin, std::min(array->parameter.size(), begin + parameters_per_part));
      },
      detail::least_parts);
}

}  // namespace weft
