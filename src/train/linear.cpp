#include <weft/core/philox.hpp>
#include <weft/train/linear.hpp>

#include <algorithm>  // for std::fill
#include <cmath>      // for std::sqrt

namespace weft {

linear::linear(std::int64_t inputs, std::int64_t outputs)
    : weight(shape<2>{inputs, outputs}), bias(shape<1>{outputs}) {}

void initialize_he(linear& layer, std::uint64_t seed, std::uint64_t stream) {
  const philox random(seed, stream);
  const double deviation = layer.inputs() > 0 ? std::sqrt(2.0 / static_cast<double>(layer.inputs())) : 0.0;
  std::uint64_t index = 0;
  for (float& weight : layer.weight.elements()) {
    weight = static_cast<float>(deviation * random.normal(index));
    ++index;
  }
  std::fill(layer.bias.elements().begin(), layer.bias.elements().end(), 0.0F);
}

}  // namespace weft
