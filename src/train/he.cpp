#include <train/he.hpp>
#include <weft/core/philox.hpp>

#include <algorithm>  // for std::fill
#include <cmath>      // for std::sqrt

namespace weft::detail {

void fill_he(std::span<float> weights, std::span<float> bias, std::int64_t inputs, std::uint64_t seed,
             std::uint64_t stream) {
  const philox random(seed, stream);
  const double deviation = inputs > 0 ? std::sqrt(2.0 / static_cast<double>(inputs)) : 0.0;
  std::uint64_t index = 0;
  for (float& weight : weights) {
    weight = static_cast<float>(deviation * random.normal(index));
    ++index;
  }
  std::fill(bias.begin(), bias.end(), 0.0F);
}

}  // namespace weft::detail
