#include <market/brownian_program.hpp>
#include <market/gpu_paths.hpp>

#include <algorithm>  // for std::max
#include <cstddef>    // for std::byte, std::size_t

namespace weft::detail {

#if WEFT_HAS_CUDA

namespace {

// Pieces of one array of scratch memory, each aligned to 256 bytes.
class scratch_layout {
 public:
  std::size_t add(std::size_t bytes) {
    const std::size_t at = end_;
    end_ += (bytes + 255) / 256 * 256;
    return at;
  }
  std::size_t bytes() const { return std::max<std::size_t>(end_, 1); }

 private:
  std::size_t end_ = 0;
};

}  // namespace

path_results gpu_results(const cuda_context& context, const path_arguments& arguments, path_range range,
                         bool control, bool want_values) {
  const auto assets = static_cast<std::size_t>(arguments.assets);
  const auto count = static_cast<std::size_t>(range.end - range.begin);
  const auto parts = static_cast<std::size_t>(range.parts());
  scratch_layout layout;
  const std::size_t drift = layout.add(assets * sizeof(float));
  const std::size_t loading = layout.add(assets * assets * sizeof(float));
  const std::size_t weight = layout.add(assets * sizeof(float));
  const std::size_t values = layout.add(count * sizeof(float));
  const std::size_t controls = layout.add(control ? count * sizeof(float) : 0);
  const std::size_t moments = layout.add(parts * sizeof(path_moments));
  auto* const memory = static_cast<std::byte*>(context.scratch(layout.bytes()));
  const auto floats = [memory](std::size_t at) { return reinterpret_cast<float*>(memory + at); };

  context.copy(floats(drift), arguments.drift, assets * sizeof(float));
  context.copy(floats(loading), arguments.loading, assets * assets * sizeof(float));
  context.copy(floats(weight), arguments.weight, assets * sizeof(float));
  path_arguments there = arguments;
  there.drift = floats(drift);
  there.loading = floats(loading);
  there.weight = floats(weight);
  float* const control_values = control ? floats(controls) : nullptr;
  gpu::paths(context.stream(), there, range.begin, range.end, floats(values), control_values);

  path_results results;
  if (want_values) {
    results.values.resize(count);
    context.copy(results.values.data(), floats(values), count * sizeof(float));
  } else {
    auto* const of_parts = reinterpret_cast<path_moments*>(memory + moments);
    gpu::moments(context.stream(), floats(values), control_values, static_cast<std::int64_t>(count),
                 of_parts);
    results.moments.resize(parts);
    context.copy(results.moments.data(), of_parts, parts * sizeof(path_moments));
  }
  context.synchronize();
  return results;
}

#else

path_results gpu_results(const cuda_context&, const path_arguments&, path_range, bool, bool) {
  throw error("monte_carlo: this build of weft has no CUDA kernels; build it with WEFT_CUDA=ON");
}

#endif

}  // namespace weft::detail
