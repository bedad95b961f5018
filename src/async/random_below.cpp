#include <weft/async/detail/random_below.hpp>

#include <weft/core/philox.hpp>

namespace weft::detail {

std::uint64_t random_below(std::uint64_t seed, std::uint64_t pass, std::uint64_t index,
                           std::uint64_t bound) noexcept {
  return philox(seed, pass).below(index, bound);
}

}  // namespace weft::detail
