#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/tensor.hpp>
#include <weft/train/linear.hpp>

#include <cstdint>  // for std::int64_t, std::uint64_t, std::int32_t
#include <span>     // for std::span
#include <string>   // for std::string
#include <vector>   // for std::vector

namespace weft {

/// A network of linear layers with a ReLU between each two, whose last outputs are a classifier's logits.
///
/// Thread safety: distinct objects safe; shared objects safe for reading, and forward() and gradients() only
/// read the network. A workspace belongs to one call at a time.
class mlp {
 public:
  /// The memory of one forward and backward pass; it grows to the largest batch it has seen and is then
  /// reused, so that further passes allocate nothing.
  ///
  /// Thread safety: distinct objects safe.
  class workspace;

  /// All parameters zero.
  ///
  /// @param sizes inputs, hidden layers and classes, e.g. {784, 256, 128, 10}; throws invalid_argument unless
  /// there are at least two, all positive
  explicit mlp(std::vector<std::int64_t> sizes);

  /// Parameters as initialize_he() sets them, layer i with stream i.
  ///
  /// @param sizes as above; @param seed the experiment's seed
  mlp(std::vector<std::int64_t> sizes, std::uint64_t seed);

  /// Inputs, hidden layers and classes.
  const std::vector<std::int64_t>& sizes() const noexcept { return sizes_; }
  /// How many numbers a sample has.
  std::int64_t inputs() const noexcept { return sizes_.front(); }
  /// How many classes there are.
  std::int64_t classes() const noexcept { return sizes_.back(); }
  /// How many numbers are trained.
  std::int64_t parameter_count() const noexcept;
  /// The layers, first to last.
  std::span<linear> layers() noexcept { return layers_; }
  /// The layers, first to last.
  std::span<const linear> layers() const noexcept { return layers_; }

  /// The logits of a batch.
  ///
  /// @param context where it runs; @param samples [batch, inputs]; @param space holds the result
  /// @return [batch, classes], valid until the next use of space
  ///
  /// Throws shape_error, naming both shapes, unless they fit.
  tensor_view<const float, 2> forward(const cpu_context& context, tensor_view<const float, 2> samples,
                                      workspace& space) const;

  /// The mean softmax cross-entropy of a batch and its gradient by every parameter.
  ///
  /// @param context where it runs; @param samples [batch, inputs]; @param labels [batch], each in [0,
  /// classes)
  /// @param space memory; @param gradient a network of the same sizes, overwritten
  /// @return the loss; 0 for an empty batch
  ///
  /// Throws shape_error, naming both shapes, unless they fit; invalid_argument for a label that is out of
  /// range or a gradient of other sizes.
  double gradients(const cpu_context& context, tensor_view<const float, 2> samples,
                   tensor_view<const std::int32_t, 1> labels, workspace& space, mlp& gradient) const;

 private:
  std::vector<std::int64_t> sizes_;
  std::vector<linear> layers_;
};

/// What a forward and a backward pass keep of a batch; used again from batch to batch.
class mlp::workspace {
 public:
  /// Empty; it grows at its first use.
  workspace() = default;

 private:
  friend class mlp;
  void reserve(const std::vector<std::int64_t>& sizes, std::int64_t batch);
  tensor_view<float, 2> output(std::size_t layer, std::int64_t batch);
  tensor_view<float, 2> output_gradient(std::size_t layer, std::int64_t batch);

  std::vector<std::int64_t> sizes_;
  std::vector<tensor<float, 2>> outputs_;           // per layer, [capacity, outputs]
  std::vector<tensor<float, 2>> output_gradients_;  // the same
  tensor<float, 1> losses_;                         // [capacity]
};

/// Writes a network as safetensors: "layers.0.weight" of [inputs, outputs], "layers.0.bias" and so on. The
/// file is complete or not there: it is written beside its place and renamed.
///
/// @param network what is written; @param path the file, replaced if it exists
///
/// Throws io_error naming the file.
void save(const mlp& network, const std::string& path);

/// Reads a network that save() wrote; the sizes come from the file.
///
/// @param path the file
///
/// Throws io_error or format_error naming the file, the byte and the tensor that is missing or does not fit.
mlp load_mlp(const std::string& path);

}  // namespace weft
