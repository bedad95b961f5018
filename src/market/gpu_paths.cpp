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

path_results gpu_results(const cuda_context& context, path_range range, bool control, bool want_values,
                         std::size_t room, const gpu_simulation& simulate) {
  const auto count = static_cast<std::size_t>(range.end - range.begin);
  const auto parts = static_cast<std::size_t>(range.parts());
  scratch_layout layout;
  const std::size_t beside = layout.add(room);
  const std::size_t values = layout.add(count * sizeof(float));
  const std::size_t controls = layout.add(control ? count * sizeof(float) : 0);
  const std::size_t moments = layout.add(parts * sizeof(path_moments));
  auto* const memory = static_cast<std::byte*>(context.scratch(layout.bytes()));
  auto* const paid = reinterpret_cast<float*>(memory + values);
  auto* const controlled = control ? reinterpret_cast<float*>(memory + controls) : nullptr;
  simulate(memory + beside, paid, controlled);

  path_results results;
  if (want_values) {
    results.values.resize(count);
    context.copy(results.values.data(), paid, count * sizeof(float));
  } else {
    auto* const of_parts = reinterpret_cast<path_moments*>(memory + moments);
    gpu::moments(context.stream(), paid, controlled, static_cast<std::int64_t>(count), of_parts);
    results.moments.resize(parts);
    context.copy(results.moments.data(), of_parts, parts * sizeof(path_moments));
  }
  context.synchronize();
  return results;
}

path_results brownian_program::on_gpu(const cuda_context& context, path_range range, bool want_values) const {
  path_arguments arguments = arguments_of(settings_);
  const auto assets = static_cast<std::size_t>(arguments.assets);
  const auto simulate = [&](std::byte* room, float* values, float* controls) {
    if (assets > 1) {
      auto* there = reinterpret_cast<float*>(room);
      const auto move = [&](const float*& from, std::size_t count) {
        context.copy(there, from, count * sizeof(float));
        from = there;
        there += count;
      };
      move(arguments.drift, assets);
      move(arguments.loading, assets * assets);
      move(arguments.weight, assets);
    }
    gpu::paths(context.stream(), arguments, range.begin, range.end, values, controls);
  };
  return gpu_results(context, range, settings_.control, want_values, assets * (assets + 2) * sizeof(float),
                     simulate);
}

#else

path_results gpu_results(const cuda_context&, path_range, bool, bool, std::size_t, const gpu_simulation&) {
  throw error("monte_carlo: this build of weft has no CUDA kernels; build it with WEFT_CUDA=ON");
}

path_results brownian_program::on_gpu(const cuda_context& context, path_range range, bool want_values) const {
  return gpu_results(context, range, settings_.control, want_values, 0, {});
}

#endif

}  // namespace weft::detail
