#pragma once

#include <weft/async/task.hpp>
#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/executor.hpp>
#include <weft/compute/memory.hpp>
#include <weft/compute/tensor.hpp>
#include <weft/train/convolution.hpp>
#include <weft/train/linear.hpp>

#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::int64_t, std::uint64_t, std::int32_t
#include <memory>   // for std::shared_ptr
#include <span>     // for std::span
#include <string>   // for std::string
#include <vector>   // for std::vector

namespace weft {

/// What a network is made of: convolutions, if any, and then linear layers.
struct neural_net_options {
  /// How many numbers a sample has, the outputs of the hidden linear layers, and the classes: at least two,
  /// all positive.
  std::vector<std::int64_t> sizes{784, 256, 128, 10};
  /// Each keeps the image's size; then the largest of every 2 x 2 elements is kept, and a ReLU follows.
  std::vector<convolution_options> convolutions{};
  /// With convolutions: channels, height and width of a sample, planes one after the other, sizes.front()
  /// numbers in all. Height and width are at least 2 before each convolution.
  shape<3> image{};

  friend bool operator==(const neural_net_options&, const neural_net_options&) = default;
};

/// A network of layers with a ReLU between each two, whose last outputs are a classifier's logits. Its
/// parameters lie in the host's memory or in a GPU's, and it computes there.
///
/// Thread safety: distinct objects safe; shared objects safe for reading, and forward() and gradients() only
/// read the network. A workspace belongs to one call at a time.
class neural_net {
 public:
  /// The memory of one forward and backward pass; it grows to the largest batch it has seen and is then
  /// reused, so that further passes allocate nothing.
  ///
  /// Thread safety: distinct objects safe.
  class workspace;

  /// All parameters zero; in a memory other than the host's heap, not initialised.
  ///
  /// @param options throws invalid_argument, saying what, if they cannot be
  /// @param source where the parameters are to lie; null: on the host's heap
  explicit neural_net(neural_net_options options, std::shared_ptr<memory> source = nullptr);

  /// Parameters as initialize_he() sets them, layer i with stream i, convolutions first.
  ///
  /// @param options as above; @param seed the experiment's seed
  neural_net(neural_net_options options, std::uint64_t seed);

  /// What it is made of.
  const neural_net_options& options() const noexcept { return options_; }
  /// How many numbers a sample has.
  std::int64_t inputs() const noexcept { return options_.sizes.front(); }
  /// How many classes there are.
  std::int64_t classes() const noexcept { return options_.sizes.back(); }
  /// How many numbers are trained.
  std::int64_t parameter_count() const noexcept;
  /// Whose memory the parameters lie in.
  place where() const noexcept { return linears_.front().weight.where(); }
  /// The convolutions, first to last.
  std::span<convolution> convolutions() noexcept { return convolutions_; }
  /// The convolutions, first to last.
  std::span<const convolution> convolutions() const noexcept { return convolutions_; }
  /// The linear layers, first to last.
  std::span<linear> linears() noexcept { return linears_; }
  /// The linear layers, first to last.
  std::span<const linear> linears() const noexcept { return linears_; }
  /// Every array of parameters, flat: of each layer the weight, then the bias.
  std::vector<tensor_view<float, 1>> parameters();
  /// The same, read-only.
  std::vector<tensor_view<const float, 1>> parameters() const;

  /// The logits of a batch.
  ///
  /// @param context where it runs; @param samples [batch, inputs], where the parameters are
  /// @param space holds the result
  /// @return [batch, classes], valid until the next use of space
  ///
  /// Throws shape_error, naming both shapes, unless they fit; invalid_argument if the samples lie elsewhere
  /// than the parameters.
  tensor_view<const float, 2> forward(const cpu_context& context, tensor_view<const float, 2> samples,
                                      workspace& space) const;
  /// The same on a GPU.
  tensor_view<const float, 2> forward(const cuda_context& context, tensor_view<const float, 2> samples,
                                      workspace& space) const;

  /// The mean softmax cross-entropy of a batch and its gradient by every parameter.
  ///
  /// @param context where it runs; @param samples [batch, inputs]; @param labels [batch], each in [0,
  /// classes)
  /// @param space memory; @param gradient a network of the same options, overwritten
  /// @return the loss; 0 for an empty batch
  ///
  /// Throws as forward(); invalid_argument for a label that is out of range or a gradient of other options.
  double gradients(const cpu_context& context, tensor_view<const float, 2> samples,
                   tensor_view<const std::int32_t, 1> labels, workspace& space, neural_net& gradient) const;
  /// The same on a GPU.
  double gradients(const cuda_context& context, tensor_view<const float, 2> samples,
                   tensor_view<const std::int32_t, 1> labels, workspace& space, neural_net& gradient) const;

 private:
  friend workspace;

  /// The extents [channels, height, width] of what the convolution leaves, before pooling.
  shape<3> convolved(std::size_t index) const noexcept;
  shape<3> pooled(std::size_t index) const noexcept;
  /// The extents of what goes into the convolution.
  shape<3> image_of(std::size_t index) const noexcept;

  template <class Context>
  tensor_view<const float, 2> run_forward(const Context& context, tensor_view<const float, 2> samples,
                                          workspace& space) const;
  template <class Context>
  double run_gradients(const Context& context, tensor_view<const float, 2> samples,
                       tensor_view<const std::int32_t, 1> labels, workspace& space,
                       neural_net& gradient) const;
  template <class Context>
  void run_convolution_gradients(const Context& context, tensor_view<const float, 2> samples,
                                 workspace& space, neural_net& gradient) const;

  neural_net_options options_;
  std::shared_ptr<memory> source_;
  std::vector<convolution> convolutions_;
  std::vector<linear> linears_;
};

/// What a forward and a backward pass keep of a batch; used again from batch to batch.
class neural_net::workspace {
 public:
  /// Empty; it grows at its first use.
  workspace() = default;

 private:
  friend class neural_net;

  /// An array of the pass and, behind it, its gradient.
  struct pair {
    pair(const shape<2>& extents, const std::shared_ptr<memory>& source);
    tensor<float, 2> value, gradient;  // [capacity, elements of one sample]
  };

  void reserve(const neural_net& network, std::int64_t batch);

  neural_net_options options_;
  place where_;
  std::int64_t capacity_ = -1;
  std::vector<pair> convolved_;                   // by convolution
  std::vector<pair> pooled_;                      // and pooled, through the ReLU
  std::vector<tensor<std::int32_t, 2>> largest_;  // where the pool took each element from
  std::vector<pair> outputs_;                     // by linear layer
  tensor<float, 1> losses_;
};

/// A copy of a network whose parameters lie where an executor computes.
///
/// @param target the executor; @param source a network on the host, which must stay alive until then
///
/// Cancellation: as executor_base.
task<neural_net> to(executor_base& target, const neural_net& source);

/// A copy on the host of a network whose parameters lie where an executor computes.
///
/// @param owner the executor; @param source the network, which must stay alive until then
///
/// Cancellation: as executor_base.
task<neural_net> to_host(executor_base& owner, const neural_net& source);

/// Writes a network on the host as safetensors: "layers.0.weight" and "layers.0.bias" and so on, convolutions
/// first: [outputs, channels, kernel, kernel] for a convolution and [inputs, outputs] for a linear layer. The
/// file is complete or not there: it is written beside its place and renamed.
///
/// @param network what is written; @param path the file, replaced if it exists
///
/// Throws io_error naming the file.
void save(const neural_net& network, const std::string& path);

/// Reads a network that save() wrote; the layers come from the file.
///
/// @param path the file
///
/// Throws io_error or format_error naming the file, the byte and the tensor that is missing or does not fit.
neural_net load_neural_net(const std::string& path);

}  // namespace weft
