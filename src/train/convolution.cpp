#include <train/he.hpp>
#include <weft/train/convolution.hpp>

namespace weft {

void initialize_he(convolution& layer, std::uint64_t seed, std::uint64_t stream) {
  const std::int64_t inputs = layer.weight.extent(1) * layer.weight.extent(2) * layer.weight.extent(3);
  detail::fill_he(layer.weight.elements(), layer.bias.elements(), inputs, seed, stream);
}

}  // namespace weft
