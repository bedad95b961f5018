#include <compute/cuda/team.cuh>
#include <market/brownian_path.hpp>
#include <market/gpu_paths.hpp>
#include <weft/market/detail/path_kernel.cuh>

#include <cstdint>  // for std::int64_t, std::uint32_t, std::uint64_t

namespace weft::detail {
namespace {

// A block for each part. Sums are in an order that never changes, and once more around the mean.
__global__ void moments_kernel(const float* values, const float* controls, std::int64_t count,
                               path_moments* parts) {
  const std::int64_t total = (count + paths_in_part - 1) / paths_in_part;
  for (std::int64_t part = blockIdx.x; part < total; part += gridDim.x) {
    const std::int64_t begin = part * paths_in_part;
    const std::int64_t end = begin + paths_in_part < count ? begin + paths_in_part : count;
    const auto size = static_cast<double>(end - begin);
    double x = 0.0;
    double y = 0.0;
    for (std::int64_t i = begin + threadIdx.x; i < end; i += block_threads) {
      x += values[i];
      if (controls != nullptr) y += controls[i];
    }
    const double mean_x = across_block(x, plus{}) / size;
    const double mean_y = across_block(y, plus{}) / size;
    double xx = 0.0;
    double yy = 0.0;
    double xy = 0.0;
    for (std::int64_t i = begin + threadIdx.x; i < end; i += block_threads) {
      const double dx = values[i] - mean_x;
      xx += dx * dx;
      if (controls == nullptr) continue;
      const double dy = controls[i] - mean_y;
      yy += dy * dy;
      xy += dx * dy;
    }
    const path_moments joined{
        size, mean_x, mean_y, across_block(xx, plus{}), across_block(yy, plus{}), across_block(xy, plus{})};
    if (threadIdx.x == 0) parts[part] = joined;
  }
}

template <path_sight Sight, int Sides>
void launch_paths_of(CUstream_st* stream, const path_arguments& all, const path_window& window) {
  if (all.assets > 1) {
    // There is no formula for the geometric mean of a basket, which therefore is no control variate.
    constexpr path_sight sight = Sight == path_sight::both_means ? path_sight::mean : Sight;
    launch_paths(stream, basket_path<sight, Sides>(all), window);
  } else {
    launch_paths(stream, one_asset_path<Sight, Sides>(all), window);
  }
}

template <path_sight Sight>
void launch_paths_seeing(CUstream_st* stream, const path_arguments& all, const path_window& window) {
  if (all.antithetic) {
    launch_paths_of<Sight, 2>(stream, all, window);
  } else {
    launch_paths_of<Sight, 1>(stream, all, window);
  }
}

}  // namespace

void gpu::paths(CUstream_st* stream, const path_arguments& all, std::int64_t begin, std::int64_t end,
                float* values, float* controls) {
  const std::uint64_t seed = (std::uint64_t{all.seed[1]} << 32) | all.seed[0];
  const path_window window{path_keys(seed), static_cast<std::uint32_t>(all.steps), begin, end - begin, values,
                           controls};
  switch (all.payoff) {
    case path_payoff::european:
      return launch_paths_seeing<path_sight::end>(stream, all, window);
    case path_payoff::arithmetic_mean:
      if (controls == nullptr) return launch_paths_seeing<path_sight::mean>(stream, all, window);
      return launch_paths_seeing<path_sight::both_means>(stream, all, window);
    case path_payoff::geometric_mean:
      return launch_paths_seeing<path_sight::geometric_mean>(stream, all, window);
    case path_payoff::knock_in:
    case path_payoff::knock_out:
      return launch_paths_seeing<path_sight::extreme>(stream, all, window);
  }
}

void gpu::moments(CUstream_st* stream, const float* values, const float* controls, std::int64_t count,
                  path_moments* parts) {
  launch("moments kernel", stream, one_block_for_each((count + paths_in_part - 1) / paths_in_part),
         moments_kernel, values, controls, count, parts);
}

}  // namespace weft::detail
