#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <weft/compute/kernels/random.hpp>

namespace weft {
namespace {

constexpr std::int64_t blocks_per_part = 4096;  // a multiple of every register's width

detail::random_arguments arguments_of(std::uint64_t seed, std::uint64_t stream, float* output, bool normal,
                                      float scale, float shift) {
  const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  const auto high = [](std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); };
  return {.seed = {low(seed), high(seed)},
          .stream = {low(stream), high(stream)},
          .output = output,
          .normal = normal,
          .scale = scale,
          .shift = shift};
}

void fill(const cpu_context& context, const detail::random_arguments& arguments, std::int64_t count) {
  const auto kernel = detail::kernels_of(context.level()).random;
  detail::run_parts(context, (count + 3) / 4, blocks_per_part,
                    [&](std::int64_t begin, std::int64_t end) { kernel(arguments, begin, end, count); });
}

void fill(const cuda_context& context, const detail::random_arguments& arguments, std::int64_t count) {
  if (count > 0) context.kernels().random(context.stream(), arguments, count);
}

}  // namespace

void fill_uniform::operator()(const cpu_context& context, tensor_view<float, 1> output) const {
  fill(context, arguments_of(seed, stream, output.data(), false, high - low, low), output.size());
}

void fill_uniform::operator()(const cuda_context& context, tensor_view<float, 1> output) const {
  fill(context, arguments_of(seed, stream, output.data(), false, high - low, low), output.size());
}

void fill_normal::operator()(const cpu_context& context, tensor_view<float, 1> output) const {
  fill(context, arguments_of(seed, stream, output.data(), true, deviation, mean), output.size());
}

void fill_normal::operator()(const cuda_context& context, tensor_view<float, 1> output) const {
  fill(context, arguments_of(seed, stream, output.data(), true, deviation, mean), output.size());
}

}  // namespace weft
