#pragma once

#include <cstdint>  // for std::uint64_t

namespace weft::detail {

/// The index-th draw, uniform in [0, bound), of the given seed and pass: philox(seed, pass).below(index,
/// bound). Defined apart, because the generator's headers alone take as long to compile as all streams.
std::uint64_t random_below(std::uint64_t seed, std::uint64_t pass, std::uint64_t index,
                           std::uint64_t bound) noexcept;

}  // namespace weft::detail
