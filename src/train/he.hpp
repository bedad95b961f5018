#pragma once

#include <cstdint>  // for std::int64_t, std::uint64_t
#include <span>     // for std::span

namespace weft::detail {

/// Normal numbers of variance 2 / inputs, and zeros: number i depends on seed, stream and i alone.
void fill_he(std::span<float> weights, std::span<float> bias, std::int64_t inputs, std::uint64_t seed,
             std::uint64_t stream);

}  // namespace weft::detail
