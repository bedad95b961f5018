#include <weft/compute/kernels/linear_backward.hpp>
#include <weft/compute/kernels/linear_forward.hpp>
#include <weft/compute/kernels/softmax_cross_entropy.hpp>
#include <weft/compute/safetensors.hpp>
#include <weft/core/error.hpp>
#include <weft/train/mlp.hpp>

#include <algorithm>  // for std::max, std::move
#include <cstddef>    // for std::size_t
#include <utility>    // for std::move

namespace weft {
namespace {

std::string to_text(const std::vector<std::int64_t>& sizes) {
  std::string text;
  for (const std::int64_t size : sizes) {
    if (!text.empty()) text += '-';
    text += std::to_string(size);
  }
  return text.empty() ? "none" : text;
}

void require_samples(const char* operation, const mlp& network, tensor_view<const float, 2> samples) {
  if (samples.extent(1) == network.inputs()) return;
  throw shape_error(std::string(operation) + ": samples have shape " + to_string(samples.extents()) +
                    " but the network " + to_text(network.sizes()) + " takes [batch, " +
                    std::to_string(network.inputs()) + "]");
}

void require_sizes(const char* operation, const char* what, const std::vector<std::int64_t>& sizes,
                   const mlp& network) {
  if (sizes == network.sizes()) return;
  throw invalid_argument(std::string(operation) + ": " + what + " is for a network " + to_text(sizes) +
                         " but the network is " + to_text(network.sizes()));
}

std::string name_of(std::size_t layer, const char* parameter) {
  return "layers." + std::to_string(layer) + "." + parameter;
}

}  // namespace

mlp::mlp(std::vector<std::int64_t> sizes) : sizes_(std::move(sizes)) {
  bool valid = sizes_.size() >= 2;
  for (const std::int64_t size : sizes_) valid = valid && size > 0;
  if (!valid) {
    throw invalid_argument("mlp: sizes are " + to_text(sizes_) +
                           ": inputs and classes are needed, and every size must be positive");
  }
  layers_.reserve(sizes_.size() - 1);
  for (std::size_t index = 0; index + 1 < sizes_.size(); ++index) {
    layers_.emplace_back(sizes_[index], sizes_[index + 1]);
  }
}

mlp::mlp(std::vector<std::int64_t> sizes, std::uint64_t seed) : mlp(std::move(sizes)) {
  for (std::size_t index = 0; index < layers_.size(); ++index) initialize_he(layers_[index], seed, index);
}

std::int64_t mlp::parameter_count() const noexcept {
  std::int64_t count = 0;
  for (const linear& layer : layers_) count += layer.weight.size() + layer.bias.size();
  return count;
}

void mlp::workspace::reserve(const std::vector<std::int64_t>& sizes, std::int64_t batch) {
  if (sizes == sizes_ && batch <= losses_.extent(0)) return;
  const std::int64_t capacity = sizes == sizes_ ? std::max(batch, losses_.extent(0)) : batch;
  sizes_.clear();  // until all of it is there, it is no network's
  outputs_.clear();
  output_gradients_.clear();
  for (std::size_t index = 1; index < sizes.size(); ++index) {
    outputs_.emplace_back(shape<2>{capacity, sizes[index]});
    output_gradients_.emplace_back(shape<2>{capacity, sizes[index]});
  }
  losses_ = tensor<float, 1>(shape<1>{capacity});
  sizes_ = sizes;
}

tensor_view<float, 2> mlp::workspace::output(std::size_t layer, std::int64_t batch) {
  return outputs_[layer].slice(0, batch);
}

tensor_view<float, 2> mlp::workspace::output_gradient(std::size_t layer, std::int64_t batch) {
  return output_gradients_[layer].slice(0, batch);
}

tensor_view<const float, 2> mlp::forward(const cpu_context& context, tensor_view<const float, 2> samples,
                                         workspace& space) const {
  require_samples("mlp::forward", *this, samples);
  const std::int64_t batch = samples.extent(0);
  space.reserve(sizes_, batch);
  tensor_view<const float, 2> input = samples;
  for (std::size_t index = 0; index < layers_.size(); ++index) {
    const bool last = index + 1 == layers_.size();
    const tensor_view<float, 2> output = space.output(index, batch);
    linear_forward{.after = last ? activation::none : activation::relu}(context, input, layers_[index].weight,
                                                                        layers_[index].bias, output);
    input = output;
  }
  return input;
}

double mlp::gradients(const cpu_context& context, tensor_view<const float, 2> samples,
                      tensor_view<const std::int32_t, 1> labels, workspace& space, mlp& gradient) const {
  require_sizes("mlp::gradients", "the gradient", gradient.sizes(), *this);
  const std::int64_t batch = samples.extent(0);
  const tensor_view<const float, 2> logits = forward(context, samples, space);
  const double loss = softmax_cross_entropy{}(context, logits, labels, space.losses_.slice(0, batch),
                                              space.output_gradient(layers_.size() - 1, batch));
  for (std::size_t index = layers_.size(); index-- > 0;) {
    const tensor_view<const float, 2> output_gradient = space.output_gradient(index, batch);
    const tensor_view<const float, 2> input = index > 0 ? space.output(index - 1, batch) : samples;
    if (index > 0) {
      linear_backward_input{}(context, output_gradient, layers_[index].weight, input,
                              space.output_gradient(index - 1, batch));
    }
    linear_backward_parameters{}(context, input, output_gradient, gradient.layers_[index].weight,
                                 gradient.layers_[index].bias);
  }
  return loss;
}

void save(const mlp& network, const std::string& path) {
  std::vector<safetensors_entry> entries;
  for (std::size_t index = 0; index < network.layers().size(); ++index) {
    const linear& layer = network.layers()[index];
    entries.emplace_back(name_of(index, "weight"), layer.weight.view());
    entries.emplace_back(name_of(index, "bias"), layer.bias.view());
  }
  write_safetensors(path, entries, {{"sizes", to_text(network.sizes())}});
}

mlp load_mlp(const std::string& path) {
  const safetensors_file file(path);
  std::vector<std::int64_t> sizes;
  std::vector<linear> layers;
  while (layers.empty() || file.contains(name_of(layers.size(), "weight"))) {
    const std::string weight = name_of(layers.size(), "weight");
    const std::string bias = name_of(layers.size(), "bias");
    linear layer;
    layer.weight = file.load<float, 2>(weight);
    layer.bias = file.load<float, 1>(bias);
    const std::int64_t inputs = sizes.empty() ? layer.inputs() : sizes.back();
    if (layer.weight.empty() || layer.inputs() != inputs) {
      throw format_error(
          path, file.find(weight).begin,
          "tensor '" + weight + "' has shape " + to_string(layer.weight.extents()) +
              ": a weight is not empty and has as many rows as the layer before it has outputs");
    }
    if (layer.bias.extent(0) != layer.outputs()) {
      throw format_error(path, file.find(bias).begin,
                         "tensor '" + bias + "' has shape " + to_string(layer.bias.extents()) + " but '" +
                             weight + "' has shape " + to_string(layer.weight.extents()));
    }
    if (sizes.empty()) sizes.push_back(inputs);
    sizes.push_back(layer.outputs());
    layers.push_back(std::move(layer));
  }
  mlp network(std::move(sizes));
  std::move(layers.begin(), layers.end(), network.layers().begin());
  return network;
}

}  // namespace weft
