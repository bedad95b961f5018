#include <compute/cuda/launch.cuh>
#include <compute/cuda_kernel_table.hpp>

#include <cstdint>  // for std::uint32_t, std::uint64_t

namespace weft::detail {
namespace {

// Philox 4x32-10, as src/compute/isa/rows.cpp has it; a thread makes a block of four numbers.
__global__ void random_kernel(random_arguments arguments, std::int64_t count) {
  for_each_index((count + 3) / 4, [&](std::int64_t block) {
    std::uint32_t word[4] = {static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                             arguments.stream[0], arguments.stream[1]};
    std::uint32_t key0 = arguments.seed[0];
    std::uint32_t key1 = arguments.seed[1];
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
    float value[4];
    for (int i = 0; i < 4; ++i) value[i] = static_cast<float>(word[i] >> 8) * 0x1p-24F;
    if (arguments.normal) {
      for (int pair = 0; pair < 4; pair += 2) {
        const float radius = sqrtf(-2.0F * logf(1.0F - value[pair]));
        float sine = 0.0F;
        float cosine = 0.0F;
        sincospif(2.0F * value[pair + 1], &sine, &cosine);
        value[pair] = radius * cosine;
        value[pair + 1] = radius * sine;
      }
    }
    for (int i = 0; i < 4; ++i) {
      if (4 * block + i < count) {
        arguments.output[4 * block + i] = value[i] * arguments.scale + arguments.shift;
      }
    }
  });
}

}  // namespace

void gpu::random(CUstream_st* stream, const random_arguments& arguments, std::int64_t count) {
  launch("random kernel", stream, blocks_for((count + 3) / 4), random_kernel, arguments, count);
}

}  // namespace weft::detail
