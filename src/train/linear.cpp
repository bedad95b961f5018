#include <train/he.hpp>
#include <train/make_tensor.hpp>
#include <weft/train/linear.hpp>

namespace weft {

linear::linear(std::int64_t inputs, std::int64_t outputs, const std::shared_ptr<memory>& source)
    : weight(detail::make_tensor<float, 2>({inputs, outputs}, source)),
      bias(detail::make_tensor<float, 1>({outputs}, source)) {}

void initialize_he(linear& layer, std::uint64_t seed, std::uint64_t stream) {
  detail::fill_he(layer.weight.elements(), layer.bias.elements(), layer.inputs(), seed, stream);
}

}  // namespace weft
