#include <train/make_tensor.hpp>
#include <weft/compute/kernels/conv2d.hpp>
#include <weft/compute/kernels/elementwise.hpp>
#include <weft/compute/kernels/linear_backward.hpp>
#include <weft/compute/kernels/linear_forward.hpp>
#include <weft/compute/kernels/pool2d.hpp>
#include <weft/compute/kernels/relu_backward.hpp>
#include <weft/compute/kernels/softmax_cross_entropy.hpp>
#include <weft/compute/safetensors.hpp>
#include <weft/compute/transfer.hpp>
#include <weft/core/error.hpp>
#include <weft/train/neural_net.hpp>

#include <algorithm>  // for std::max
#include <charconv>   // for std::from_chars
#include <utility>    // for std::move

namespace weft {
namespace {

constexpr pool2d_options pooling{.size = 2, .stride = 2};

template <class Numbers>
std::string joined(const Numbers& numbers, const char* between = "-") {
  std::string text;
  for (const std::int64_t number : numbers) {
    if (!text.empty()) text += between;
    text += std::to_string(number);
  }
  return text.empty() ? "none" : text;
}

std::string describe(const neural_net_options& options) {
  std::string text = joined(options.sizes);
  for (const convolution_options& each : options.convolutions) {
    text += " with a convolution " + std::to_string(each.kernel) + "x" + std::to_string(each.kernel) +
            " to " + std::to_string(each.channels);
  }
  return text;
}

[[noreturn]] void refuse(const neural_net_options& options, const std::string& why) {
  throw invalid_argument("neural_net " + describe(options) + ": " + why);
}

// How many numbers the linear layers are given of a sample.
std::int64_t features_of(const neural_net_options& options) {
  bool positive = options.sizes.size() >= 2;
  for (const std::int64_t size : options.sizes) positive = positive && size > 0;
  if (!positive) refuse(options, "inputs and classes are needed, and every size must be positive");
  if (options.convolutions.empty()) return options.sizes.front();
  auto [channels, height, width] = options.image;
  if (channels < 1 || height < 1 || width < 1 || channels * height * width != options.sizes.front()) {
    refuse(options, "the image " + to_string(options.image) + " must have " +
                        std::to_string(options.sizes.front()) + " elements");
  }
  for (const convolution_options& each : options.convolutions) {
    if (each.channels < 1) refuse(options, "a convolution's channels must be above 0");
    if (each.kernel < 1 || each.kernel % 2 == 0) refuse(options, "a convolution's kernel must be odd");
    if (height < 2 || width < 2) refuse(options, "the image is too small for so many convolutions");
    channels = each.channels;
    height /= 2;
    width /= 2;
  }
  return channels * height * width;
}

template <class T>
tensor_view<T, 4> planes(tensor_view<T, 2> rows, const shape<3>& each) {
  return rows.template reshape<4>({rows.extent(0), each[0], each[1], each[2]});
}

tensor_view<float, 1> flat(tensor_view<float, 2> rows) {
  return rows.reshape<1>({rows.size()});
}

void require_samples(const char* operation, const neural_net& network, tensor_view<const float, 2> samples) {
  if (samples.extent(1) != network.inputs()) {
    throw shape_error(std::string(operation) + ": samples have shape " + to_string(samples.extents()) +
                      " but the network " + describe(network.options()) + " takes [batch, " +
                      std::to_string(network.inputs()) + "]");
  }
  if (samples.where() != network.where()) {
    throw invalid_argument(std::string(operation) + ": samples are on " + to_string(samples.where()) +
                           " but the network is on " + to_string(network.where()) + ": move one with to()");
  }
}

std::string name_of(std::size_t layer, const char* parameter) {
  return "layers." + std::to_string(layer) + "." + parameter;
}

}  // namespace

neural_net::neural_net(neural_net_options options, std::shared_ptr<memory> source)
    : options_(std::move(options)), source_(std::move(source)) {
  std::int64_t inputs = features_of(options_);
  std::int64_t channels = options_.image[0];
  for (const convolution_options& each : options_.convolutions) {
    convolutions_.push_back({.weight = detail::make_tensor<float, 4>(
                                 {each.channels, channels, each.kernel, each.kernel}, source_),
                             .bias = detail::make_tensor<float, 1>({each.channels}, source_)});
    channels = each.channels;
  }
  for (std::size_t index = 1; index < options_.sizes.size(); ++index) {
    linears_.emplace_back(inputs, options_.sizes[index], source_);
    inputs = options_.sizes[index];
  }
}

neural_net::neural_net(neural_net_options options, std::uint64_t seed) : neural_net(std::move(options)) {
  std::uint64_t stream = 0;
  for (convolution& layer : convolutions_) initialize_he(layer, seed, stream++);
  for (linear& layer : linears_) initialize_he(layer, seed, stream++);
}

std::int64_t neural_net::parameter_count() const noexcept {
  std::int64_t count = 0;
  for (const convolution& layer : convolutions_) count += layer.weight.size() + layer.bias.size();
  for (const linear& layer : linears_) count += layer.weight.size() + layer.bias.size();
  return count;
}

std::vector<tensor_view<float, 1>> neural_net::parameters() {
  std::vector<tensor_view<float, 1>> all;
  const auto add = [&all](auto& layer) {
    all.push_back(layer.weight.view().template reshape<1>({layer.weight.size()}));
    all.push_back(layer.bias.view());
  };
  for (convolution& layer : convolutions_) add(layer);
  for (linear& layer : linears_) add(layer);
  return all;
}

std::vector<tensor_view<const float, 1>> neural_net::parameters() const {
  std::vector<tensor_view<const float, 1>> all;
  const auto add = [&all](const auto& layer) {
    all.push_back(layer.weight.view().template reshape<1>({layer.weight.size()}));
    all.push_back(layer.bias.view());
  };
  for (const convolution& layer : convolutions_) add(layer);
  for (const linear& layer : linears_) add(layer);
  return all;
}

shape<3> neural_net::image_of(std::size_t index) const noexcept {
  return index == 0 ? options_.image : pooled(index - 1);
}

shape<3> neural_net::convolved(std::size_t index) const noexcept {
  return {options_.convolutions[index].channels, options_.image[1] >> index, options_.image[2] >> index};
}

shape<3> neural_net::pooled(std::size_t index) const noexcept {
  const auto [channels, height, width] = convolved(index);
  return {channels, height / 2, width / 2};
}

neural_net::workspace::pair::pair(const shape<2>& extents, const std::shared_ptr<memory>& source)
    : value(detail::make_tensor<float, 2>(extents, source)),
      gradient(detail::make_tensor<float, 2>(extents, source)) {}

void neural_net::workspace::reserve(const neural_net& network, std::int64_t batch) {
  const bool same = network.options_ == options_ && network.where() == where_;
  if (same && batch <= capacity_) return;
  capacity_ = -1;  // until all of it is there, it is no network's
  options_ = network.options_;
  where_ = network.where();
  convolved_.clear();
  pooled_.clear();
  largest_.clear();
  outputs_.clear();
  for (std::size_t index = 0; index < network.convolutions_.size(); ++index) {
    const std::int64_t size = element_count(network.pooled(index));
    convolved_.emplace_back(shape<2>{batch, element_count(network.convolved(index))}, network.source_);
    pooled_.emplace_back(shape<2>{batch, size}, network.source_);
    largest_.push_back(detail::make_tensor<std::int32_t, 2>({batch, size}, network.source_));
  }
  for (const linear& layer : network.linears_) {
    outputs_.emplace_back(shape<2>{batch, layer.outputs()}, network.source_);
  }
  losses_ = detail::make_tensor<float, 1>({batch}, network.source_);
  capacity_ = batch;
}

template <class Context>
tensor_view<const float, 2> neural_net::run_forward(const Context& context,
                                                    tensor_view<const float, 2> samples,
                                                    workspace& space) const {
  require_samples("neural_net::forward", *this, samples);
  const std::int64_t batch = samples.extent(0);
  space.reserve(*this, batch);
  tensor_view<const float, 2> input = samples;
  for (std::size_t index = 0; index < convolutions_.size(); ++index) {
    const convolution& layer = convolutions_[index];
    const tensor_view<float, 2> output = space.pooled_[index].value.slice(0, batch);
    const tensor_view<float, 4> wide =
        planes(space.convolved_[index].value.slice(0, batch), convolved(index));
    conv2d{.options = {.padding = options_.convolutions[index].kernel / 2}}(
        context, planes(input, image_of(index)), layer.weight.view(), layer.bias.view(), wide);
    max_pool2d{pooling}(context, tensor_view<const float, 4>(wide), planes(output, pooled(index)),
                        planes(space.largest_[index].slice(0, batch), pooled(index)));
    relu{}(context, tensor_view<const float, 1>(flat(output)), flat(output));
    input = output;
  }
  for (std::size_t index = 0; index < linears_.size(); ++index) {
    const bool last = index + 1 == linears_.size();
    const tensor_view<float, 2> output = space.outputs_[index].value.slice(0, batch);
    linear_forward{.after = last ? activation::none : activation::relu}(
        context, input, linears_[index].weight.view(), linears_[index].bias.view(), output);
    input = output;
  }
  return input;
}

template <class Context>
double neural_net::run_gradients(const Context& context, tensor_view<const float, 2> samples,
                                 tensor_view<const std::int32_t, 1> labels, workspace& space,
                                 neural_net& gradient) const {
  if (gradient.options_ != options_) {
    throw invalid_argument("neural_net::gradients: the gradient is for a network " +
                           describe(gradient.options_) + " but the network is " + describe(options_));
  }
  const std::int64_t batch = samples.extent(0);
  const tensor_view<const float, 2> logits = run_forward(context, samples, space);
  const double loss = softmax_cross_entropy{}(context, logits, labels, space.losses_.slice(0, batch),
                                              space.outputs_.back().gradient.slice(0, batch));
  for (std::size_t index = linears_.size(); index-- > 0;) {
    const tensor_view<const float, 2> slope = space.outputs_[index].gradient.slice(0, batch);
    tensor_view<const float, 2> input = samples;
    if (index > 0 || !convolutions_.empty()) {
      workspace::pair& below = index > 0 ? space.outputs_[index - 1] : space.pooled_.back();
      input = below.value.slice(0, batch);
      linear_backward_input{}(context, slope, linears_[index].weight.view(), input,
                              below.gradient.slice(0, batch));
    }
    linear_backward_parameters{}(context, input, slope, gradient.linears_[index].weight.view(),
                                 gradient.linears_[index].bias.view());
  }
  run_convolution_gradients(context, samples, space, gradient);
  return loss;
}

template <class Context>
void neural_net::run_convolution_gradients(const Context& context, tensor_view<const float, 2> samples,
                                           workspace& space, neural_net& gradient) const {
  const std::int64_t batch = samples.extent(0);
  for (std::size_t index = convolutions_.size(); index-- > 0;) {
    const tensor_view<const float, 2> slope = space.pooled_[index].gradient.slice(0, batch);
    const tensor_view<float, 4> wide =
        planes(space.convolved_[index].gradient.slice(0, batch), convolved(index));
    max_pool2d_backward{}(
        context, planes(slope, pooled(index)),
        planes(tensor_view<const std::int32_t, 2>(space.largest_[index].slice(0, batch)), pooled(index)),
        wide);
    const conv2d_backward backward{.options = {.padding = options_.convolutions[index].kernel / 2}};
    convolution& slopes = gradient.convolutions_[index];
    if (index == 0) {
      backward(context, planes(samples, image_of(index)), convolutions_[index].weight.view(),
               tensor_view<const float, 4>(wide), slopes.weight.view(), slopes.bias.view());
      continue;
    }
    workspace::pair& below = space.pooled_[index - 1];
    const tensor_view<const float, 2> input = below.value.slice(0, batch);
    const tensor_view<float, 2> input_slope = below.gradient.slice(0, batch);
    backward(context, planes(input, image_of(index)), convolutions_[index].weight.view(),
             tensor_view<const float, 4>(wide), planes(input_slope, image_of(index)), slopes.weight.view(),
             slopes.bias.view());
    relu_backward{}(context, tensor_view<const float, 1>(flat(below.value.slice(0, batch))),
                    flat(input_slope));
  }
}

tensor_view<const float, 2> neural_net::forward(const cpu_context& context,
                                                tensor_view<const float, 2> samples, workspace& space) const {
  return run_forward(context, samples, space);
}

tensor_view<const float, 2> neural_net::forward(const cuda_context& context,
                                                tensor_view<const float, 2> samples, workspace& space) const {
  return run_forward(context, samples, space);
}

double neural_net::gradients(const cpu_context& context, tensor_view<const float, 2> samples,
                             tensor_view<const std::int32_t, 1> labels, workspace& space,
                             neural_net& gradient) const {
  return run_gradients(context, samples, labels, space, gradient);
}

double neural_net::gradients(const cuda_context& context, tensor_view<const float, 2> samples,
                             tensor_view<const std::int32_t, 1> labels, workspace& space,
                             neural_net& gradient) const {
  return run_gradients(context, samples, labels, space, gradient);
}

namespace {

// Copies all parameters, in turn with an executor's kernels.
task<> copy_parameters(executor_base& through, const neural_net& from, neural_net& into) {
  const auto sources = from.parameters();
  const auto targets = into.parameters();
  for (std::size_t index = 0; index < sources.size(); ++index) {
    const detail::copy_bytes copying{sources[index].data(), targets[index].data(),
                                     sources[index].elements().size_bytes()};
    co_await through.run(copying);
  }
}

std::vector<std::int64_t> numbers_of(const std::string& text) {
  std::vector<std::int64_t> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    std::int64_t number = 0;
    const auto [next, problem] = std::from_chars(at, end, number);
    if (problem != std::errc() || (next != end && *next != '-')) return {};
    numbers.push_back(number);
    at = next == end ? end : next + 1;
  }
  return numbers;
}

// The shape of the samples of a network whose first convolution takes so many channels.
shape<3> image_in(const safetensors_file& file, std::int64_t channels) {
  const auto found = file.metadata().find("image");
  const std::vector<std::int64_t> numbers =
      found == file.metadata().end() ? std::vector<std::int64_t>{} : numbers_of(found->second);
  if (numbers.size() != 3 || numbers[0] != channels) {
    throw format_error(file.path(), 0,
                       "the metadata must say what the convolutions are given, as in 'image': '" +
                           std::to_string(channels) + "-28-28'");
  }
  return {numbers[0], numbers[1], numbers[2]};
}

void require_bias(const safetensors_file& file, const std::string& weight, std::int64_t outputs,
                  const std::string& bias) {
  if (file.find(bias).extents == std::vector{outputs}) return;
  throw format_error(file.path(), file.find(bias).begin,
                     "tensor '" + bias + "' has shape [" + joined(file.find(bias).extents, ", ") + "] but '" +
                         weight + "' has " + std::to_string(outputs) + " outputs");
}

}  // namespace

task<neural_net> to(executor_base& target, const neural_net& source) {
  neural_net result(source.options(), target.source());
  co_await copy_parameters(target, source, result);
  co_return result;
}

task<neural_net> to_host(executor_base& owner, const neural_net& source) {
  neural_net result(source.options());
  co_await copy_parameters(owner, source, result);
  co_return result;
}

void save(const neural_net& network, const std::string& path) {
  std::vector<safetensors_entry> entries;
  const auto add = [&entries](const auto& layer) {
    const std::size_t index = entries.size() / 2;
    entries.emplace_back(name_of(index, "weight"), layer.weight.view());
    entries.emplace_back(name_of(index, "bias"), layer.bias.view());
  };
  for (const convolution& layer : network.convolutions()) add(layer);
  for (const linear& layer : network.linears()) add(layer);
  std::map<std::string, std::string> metadata{{"sizes", joined(network.options().sizes)}};
  if (!network.convolutions().empty()) metadata["image"] = joined(network.options().image);
  write_safetensors(path, entries, metadata);
}

neural_net load_neural_net(const std::string& path) {
  const safetensors_file file(path);
  neural_net_options options{.sizes = {}};
  std::vector<convolution> convolutions;
  std::vector<linear> linears;
  std::int64_t inputs = -1;  // of the next layer: planes, then numbers
  const auto refuse_weight = [&](const std::string& name, const char* must) {
    throw format_error(
        path, file.find(name).begin,
        "tensor '" + name + "' has shape [" + joined(file.find(name).extents, ", ") + "]: " + must);
  };
  for (std::size_t index = 0; index == 0 || file.contains(name_of(index, "weight")); ++index) {
    const std::string weight = name_of(index, "weight");
    const std::string bias = name_of(index, "bias");
    if (linears.empty() && file.find(weight).extents.size() == 4) {
      convolution layer{.weight = file.load<float, 4>(weight), .bias = file.load<float, 1>(bias)};
      const auto [outputs, channels, height, width] = layer.weight.extents();
      if (index == 0) options.image = image_in(file, channels);
      if (layer.weight.empty() || height != width || height % 2 == 0 || (index > 0 && channels != inputs)) {
        refuse_weight(weight,
                      "a convolution's weight is square, odd, and takes what the layer before it gives");
      }
      require_bias(file, weight, outputs, bias);
      options.convolutions.push_back({.channels = outputs, .kernel = height});
      inputs = outputs;
      convolutions.push_back(std::move(layer));
      continue;
    }
    linear layer;
    layer.weight = file.load<float, 2>(weight);
    layer.bias = file.load<float, 1>(bias);
    if (linears.empty()) {
      options.sizes = {convolutions.empty() ? layer.inputs() : element_count(options.image), 1};
      inputs = layer.weight.empty() ? -1 : features_of(options);
      options.sizes.pop_back();
    }
    if (layer.weight.empty() || layer.inputs() != inputs) {
      refuse_weight(weight, "a weight is not empty and has as many rows as the layer before it has outputs");
    }
    require_bias(file, weight, layer.outputs(), bias);
    inputs = layer.outputs();
    options.sizes.push_back(inputs);
    linears.push_back(std::move(layer));
  }
  neural_net network(std::move(options));
  std::move(convolutions.begin(), convolutions.end(), network.convolutions().begin());
  std::move(linears.begin(), linears.end(), network.linears().begin());
  return network;
}

}  // namespace weft
