#pragma once

#include <serve/http_message.hpp>
#include <weft/serve/batcher_options.hpp>
#include <weft/serve/served_model.hpp>
#include <weft/serve/server_options.hpp>

#include <optional>  // for std::optional
#include <string>    // for std::string
#include <vector>    // for std::vector

namespace weft::detail {

/// An output that a request asks for.
struct wanted_output {
  std::size_t index;  // among the model's
  bool binary;
};

/// A request for inference, checked against the model.
struct infer_call {
  std::optional<std::string> id{};
  std::vector<inference_tensor> inputs{};  // in the model's order
  std::vector<wanted_output> outputs{};
  infer_options options{};
};

/// Reads the body of POST .../infer: JSON, JSON followed by binary tensors, or a raw tensor. Throws
/// http_error, naming the field.
infer_call read_infer(const served_model& model, const http_request& request, const server_limits& limits);

/// What that call is answered with; outputs are in the model's order.
http_response write_infer(const served_model& model, const infer_call& call,
                          const std::vector<inference_tensor>& outputs);

/// Reads the body of POST /predict, {"input": [...]}: one item, flat or nested, or a list of items. `single`
/// is set if it was one item.
infer_call read_predict(const served_model& model, const http_request& request, const server_limits& limits,
                        bool& single);

/// {"output": [...]}, of one item or a list of them.
http_response write_predict(const inference_tensor& output, bool single);

}  // namespace weft::detail
