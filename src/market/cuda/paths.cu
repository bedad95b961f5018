#include <compute/cuda/team.cuh>
#include <market/gpu_paths.hpp>

#include <cstdint>  // for std::int64_t, std::uint32_t, std::uint64_t

namespace weft::detail {
namespace {

// Four normal numbers of a path: Philox 4x32-10 with Box and Muller, as src/market/isa/paths.cpp has them.
__device__ inline void path_normals(const std::uint32_t* seed, std::int64_t path, std::int64_t block,
                                    std::int64_t factor, float* output) {
  std::uint32_t word[4] = {static_cast<std::uint32_t>(path), static_cast<std::uint32_t>(path >> 32),
                           static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(factor)};
  std::uint32_t key0 = seed[0];
  std::uint32_t key1 = seed[1];
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t first = std::uint64_t{0xD2511F53U} * word[0];
    const std::uint64_t second = std::uint64_t{0xCD9E8D57U} * word[2];
    word[0] = static_cast<std::uint32_t>(second >> 32) ^ word[1] ^ key0;
    word[1] = static_cast<std::uint32_t>(second);
    word[2] = static_cast<std::uint32_t>(first >> 32) ^ word[3] ^ key1;
    word[3] = static_cast<std::uint32_t>(first);
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
#pragma unroll
  for (int pair = 0; pair < 4; pair += 2) {
    const float uniform = (static_cast<float>(word[pair] >> 1) + 0.5F) * 0x1p-31F;
    const float radius = sqrtf(-2.0F * logf(uniform));
    float sine = 0.0F;
    float cosine = 0.0F;
    sincospif(2.0F * (static_cast<float>(word[pair + 1] >> 8) * 0x1p-24F), &sine, &cosine);
    output[pair] = radius * cosine;
    output[pair + 1] = radius * sine;
  }
}

// What one side of a mirrored pair has seen.
struct path_record {
  float sum = 0.0F;
  float log_sum = 0.0F;
  float extreme = 0.0F;
  float last = 0.0F;
};

__device__ inline void watch(const path_arguments& all, float level, float& extreme) {
  extreme = all.barrier_above ? fmaxf(extreme, level) : fminf(extreme, level);
}

template <path_payoff Payoff>
__device__ float paid(const path_arguments& all, const path_record& side, float mean, float barrier) {
  constexpr bool of_mean = Payoff == path_payoff::arithmetic_mean || Payoff == path_payoff::geometric_mean;
  const float value = fmaxf(0.0F, all.sign * ((of_mean ? mean : side.last) - all.strike));
  if constexpr (Payoff == path_payoff::knock_in || Payoff == path_payoff::knock_out) {
    const bool beyond = all.barrier_above ? side.extreme >= barrier : side.extreme <= barrier;
    return beyond == (Payoff == path_payoff::knock_in) ? value : 0.0F;
  } else {
    return value;
  }
}

template <path_payoff Payoff>
__global__ void one_asset_kernel(path_arguments all, std::int64_t begin, std::int64_t count, float* values,
                                 float* controls) {
  constexpr bool sums = Payoff == path_payoff::arithmetic_mean;
  constexpr bool barred = Payoff == path_payoff::knock_in || Payoff == path_payoff::knock_out;
  const int sides = all.antithetic ? 2 : 1;
  const float drift = all.drift[0];
  const float deviation = all.loading[0];
  const float spot = all.weight[0];
  const float of_steps = 1.0F / static_cast<float>(all.steps);
  const float barrier = barred ? logf(all.barrier / spot) : 0.0F;
  for_each_index(count, [&](std::int64_t index) {
    float level[2] = {0.0F, 0.0F};
    path_record record[2];
    float normal[4];
    const auto step = [&](float drawn) {
#pragma unroll
      for (int side = 0; side < 2; ++side) {
        if (side == sides) break;
        level[side] += drift + (side == 0 ? deviation : -deviation) * drawn;
        if constexpr (sums) record[side].sum += expf(level[side]);
        if constexpr (sums || Payoff == path_payoff::geometric_mean) record[side].log_sum += level[side];
        if constexpr (barred) watch(all, level[side], record[side].extreme);
      }
    };
    const std::int64_t blocks = all.steps / 4;
    for (std::int64_t block = 0; block < blocks; ++block) {
      path_normals(all.seed, begin + index, block, 0, normal);
#pragma unroll
      for (int i = 0; i < 4; ++i) step(normal[i]);
    }
    if (all.steps % 4 != 0) {
      path_normals(all.seed, begin + index, blocks, 0, normal);
#pragma unroll
      for (int i = 0; i < 3; ++i) {
        if (i < all.steps % 4) step(normal[i]);
      }
    }
    float value = 0.0F;
    float control = 0.0F;
#pragma unroll
    for (int side = 0; side < 2; ++side) {
      if (side == sides) break;
      record[side].last = expf(level[side]) * spot;
      const float geometric = expf(record[side].log_sum * of_steps) * spot;
      const float mean = sums ? record[side].sum * (spot * of_steps) : geometric;
      value += paid<Payoff>(all, record[side], mean, barrier);
      control += sums ? fmaxf(0.0F, all.sign * (geometric - all.strike)) : record[side].last;
    }
    const float share = 1.0F / static_cast<float>(sides);
    values[index] = value * share;
    if (controls != nullptr) controls[index] = control * share;
  });
}

template <path_payoff Payoff>
__global__ void basket_kernel(path_arguments all, std::int64_t begin, std::int64_t count, float* values,
                              float* controls) {
  constexpr bool sums = Payoff == path_payoff::arithmetic_mean;
  const int sides = all.antithetic ? 2 : 1;
  const std::int64_t assets = all.assets;
  const float of_steps = 1.0F / static_cast<float>(all.steps);
  float spot = 0.0F;
  for (std::int64_t asset = 0; asset < assets; ++asset) spot += all.weight[asset];
  for_each_index(count, [&](std::int64_t index) {
    float level[most_assets][2];
    float normal[most_assets][4];
    for (std::int64_t asset = 0; asset < assets; ++asset) level[asset][0] = level[asset][1] = 0.0F;
    path_record record[2];
    record[0].extreme = record[1].extreme = spot;
    for (std::int64_t step = 0; step < all.steps; ++step) {
      if (step % 4 == 0) {
        for (std::int64_t asset = 0; asset < assets; ++asset) {
          path_normals(all.seed, begin + index, step / 4, asset, normal[asset]);
        }
      }
      for (std::int64_t asset = 0; asset < assets; ++asset) {
        float move = 0.0F;
        for (std::int64_t factor = 0; factor <= asset; ++factor) {
          move += all.loading[asset * assets + factor] * normal[factor][step % 4];
        }
        level[asset][0] += all.drift[asset] + move;
        level[asset][1] += all.drift[asset] - move;
      }
      if (Payoff == path_payoff::european && step + 1 < all.steps) continue;
      for (int side = 0; side < sides; ++side) {
        float value = 0.0F;
        for (std::int64_t asset = 0; asset < assets; ++asset) {
          value += all.weight[asset] * expf(level[asset][side]);
        }
        record[side].last = value;
        if constexpr (sums) record[side].sum += value;
        if constexpr (Payoff == path_payoff::geometric_mean) record[side].log_sum += logf(value);
        watch(all, value, record[side].extreme);
      }
    }
    float value = 0.0F;
    float control = 0.0F;
    for (int side = 0; side < sides; ++side) {
      const float mean = sums ? record[side].sum * of_steps : expf(record[side].log_sum * of_steps);
      value += paid<Payoff>(all, record[side], mean, all.barrier);
      control += record[side].last;
    }
    const float share = 1.0F / static_cast<float>(sides);
    values[index] = value * share;
    if (controls != nullptr) controls[index] = control * share;
  });
}

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

template <path_payoff Payoff>
void launch_paths(CUstream_st* stream, const path_arguments& all, std::int64_t begin, std::int64_t count,
                  float* values, float* controls) {
  if (all.assets == 1) {
    launch("paths kernel", stream, blocks_for(count), one_asset_kernel<Payoff>, all, begin, count, values,
           controls);
  } else {
    launch("basket kernel", stream, blocks_for(count), basket_kernel<Payoff>, all, begin, count, values,
           controls);
  }
}

}  // namespace

void gpu::paths(CUstream_st* stream, const path_arguments& all, std::int64_t begin, std::int64_t end,
                float* values, float* controls) {
  const auto go = [&]<path_payoff Payoff>() {
    launch_paths<Payoff>(stream, all, begin, end - begin, values, controls);
  };
  switch (all.payoff) {
    case path_payoff::european:
      return go.template operator()<path_payoff::european>();
    case path_payoff::arithmetic_mean:
      return go.template operator()<path_payoff::arithmetic_mean>();
    case path_payoff::geometric_mean:
      return go.template operator()<path_payoff::geometric_mean>();
    case path_payoff::knock_in:
      return go.template operator()<path_payoff::knock_in>();
    case path_payoff::knock_out:
      return go.template operator()<path_payoff::knock_out>();
  }
}

void gpu::moments(CUstream_st* stream, const float* values, const float* controls, std::int64_t count,
                  path_moments* parts) {
  launch("moments kernel", stream, one_block_for_each((count + paths_in_part - 1) / paths_in_part),
         moments_kernel, values, controls, count, parts);
}

}  // namespace weft::detail
