#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <weft/compute/kernels/softmax_cross_entropy.hpp>

#include <string>  // for std::to_string

namespace weft {
namespace {

constexpr std::int64_t logits_per_part = 8192;

detail::cross_entropy_arguments arguments_of(tensor_view<const float, 2> logits,
                                             tensor_view<const std::int32_t, 1> labels,
                                             tensor_view<float, 1> losses, float* gradient) {
  const std::int64_t batch = logits.extent(0);
  const std::int64_t classes = logits.extent(1);
  require_same_shape("softmax_cross_entropy", "labels", labels.extents(), "one column of the logits",
                     shape<1>{batch});
  require_same_shape("softmax_cross_entropy", "losses", losses.extents(), "one column of the logits",
                     shape<1>{batch});
  return {.logits = {logits.data(), classes},
          .labels = labels.data(),
          .losses = losses.data(),
          .gradient = {gradient, classes},
          .classes = classes,
          .scale = static_cast<float>(1.0 / static_cast<double>(batch))};
}

double run(const cpu_context& context, tensor_view<const float, 2> logits,
           tensor_view<const std::int32_t, 1> labels, tensor_view<float, 1> losses, float* gradient) {
  const std::int64_t batch = logits.extent(0);
  const std::int64_t classes = logits.extent(1);
  const detail::cross_entropy_arguments arguments = arguments_of(logits, labels, losses, gradient);
  for (std::int64_t row = 0; row < batch; ++row) {
    if (labels(row) < 0 || labels(row) >= classes) {
      throw invalid_argument("softmax_cross_entropy: label " + std::to_string(labels(row)) + " of row " +
                             std::to_string(row) + " is outside [0, " + std::to_string(classes) + ")");
    }
  }
  if (batch == 0) return 0.0;
  const auto kernel = detail::kernels_of(context.level()).cross_entropy;
  detail::run_parts(context, batch, std::max<std::int64_t>(1, logits_per_part / classes),
                    [&](std::int64_t begin, std::int64_t end) { kernel(arguments, begin, end); });
  double sum = 0.0;
  for (const float loss : losses) sum += static_cast<double>(loss);
  return sum / static_cast<double>(batch);
}

double run(const cuda_context& context, tensor_view<const float, 2> logits,
           tensor_view<const std::int32_t, 1> labels, tensor_view<float, 1> losses, float* gradient) {
  const std::int64_t batch = logits.extent(0);
  const detail::cross_entropy_arguments arguments = arguments_of(logits, labels, losses, gradient);
  if (batch == 0) return 0.0;
  auto* mean = static_cast<double*>(context.scratch(sizeof(double)));
  context.kernels().cross_entropy(context.stream(), arguments, batch, mean);
  double result = 0.0;
  context.copy(&result, mean, sizeof result);
  context.synchronize();
  return result;
}

}  // namespace

double softmax_cross_entropy::operator()(const cpu_context& context, tensor_view<const float, 2> logits,
                                         tensor_view<const std::int32_t, 1> labels,
                                         tensor_view<float, 1> losses, tensor_view<float, 2> gradient) const {
  require_same_shape("softmax_cross_entropy", "gradient", gradient.extents(), "logits", logits.extents());
  return run(context, logits, labels, losses, gradient.data());
}

double softmax_cross_entropy::operator()(const cpu_context& context, tensor_view<const float, 2> logits,
                                         tensor_view<const std::int32_t, 1> labels,
                                         tensor_view<float, 1> losses) const {
  return run(context, logits, labels, losses, nullptr);
}

double softmax_cross_entropy::operator()(const cuda_context& context, tensor_view<const float, 2> logits,
                                         tensor_view<const std::int32_t, 1> labels,
                                         tensor_view<float, 1> losses, tensor_view<float, 2> gradient) const {
  require_same_shape("softmax_cross_entropy", "gradient", gradient.extents(), "logits", logits.extents());
  return run(context, logits, labels, losses, gradient.data());
}

double softmax_cross_entropy::operator()(const cuda_context& context, tensor_view<const float, 2> logits,
                                         tensor_view<const std::int32_t, 1> labels,
                                         tensor_view<float, 1> losses) const {
  return run(context, logits, labels, losses, nullptr);
}

}  // namespace weft
