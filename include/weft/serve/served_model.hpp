#pragma once

#include <weft/serve/batcher_options.hpp>
#include <weft/serve/inference_tensor.hpp>

#include <cstdint>     // for std::int64_t
#include <functional>  // for std::function
#include <string>      // for std::string
#include <vector>      // for std::vector

namespace weft {

/// An input or an output of a model.
struct tensor_spec {
  std::string name;  ///< by which requests call it
  wire_type type{};  ///< of its elements
  /// The extents of one item, without the batch's; -1: any.
  std::vector<std::int64_t> shape;
};

/// A model as a server takes it.
struct served_model {
  /// By which requests call it: letters, digits, '_', '-' and '.'.
  std::string name;
  /// The same for its version; a request that names none gets the greatest.
  std::string version = "1";
  /// What it takes; at least one.
  std::vector<tensor_spec> inputs{};
  /// What it returns; at least one.
  std::vector<tensor_spec> outputs{};
  /// Computes a batch: gets the inputs in the order of `inputs`, [items, extents of one...], returns the
  /// outputs in the order of `outputs`, with as many items. It runs on a thread of the batcher; with several
  /// instances concurrently. What it throws fails the requests of the batch: an invalid_argument as the
  /// client's error, 400, anything else as the server's, 500.
  std::function<std::vector<inference_tensor>(const std::vector<inference_tensor>&)> compute;
  /// How requests become batches. max_batch_size counts items: a request with more is refused, and compute
  /// gets no more at once. Requests whose items have different shapes do not share a batch.
  batcher_options batching{};
  /// Before it is served, it computes a batch of one and a full one of zeros, so that its first request is as
  /// quick as the later ones and a model that cannot compute is not loaded.
  bool warm_up = true;
};

}  // namespace weft
