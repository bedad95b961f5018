#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <weft/compute/kernels/relu_backward.hpp>

namespace weft {
namespace {

constexpr std::int64_t relu_backward_part = 16384;  // elements

}  // namespace

void relu_backward::operator()(const cpu_context& context, tensor_view<const float, 1> output,
                               tensor_view<float, 1> gradient) const {
  require_same_shape("relu_backward", "gradient", gradient.extents(), "output", output.extents());
  const auto kernel = detail::kernels_of(context.level()).mask;
  detail::run_parts(context, output.size(), relu_backward_part, [&](std::int64_t begin, std::int64_t end) {
    kernel(output.data() + begin, gradient.data() + begin, end - begin);
  });
}

void relu_backward::operator()(const cuda_context& context, tensor_view<const float, 1> output,
                               tensor_view<float, 1> gradient) const {
  require_same_shape("relu_backward", "gradient", gradient.extents(), "output", output.extents());
  if (!output.empty()) {
    context.kernels().mask(context.stream(), output.data(), gradient.data(), output.size());
  }
}

}  // namespace weft
