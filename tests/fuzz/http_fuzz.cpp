// Any bytes as what a connection sends: requests, or an http_error. The body of each is then read as a
// request for inference and for /predict of a model of several types, and what it gives is written again.

#include <weft/core/error.hpp>

#include <serve/content_encoding.hpp>
#include <serve/infer_codec.hpp>
#include <serve/request_reader.hpp>

#include <cstdlib>  // for std::abort
#include <string>   // for std::string

namespace {

using weft::detail::http_request;

const weft::server_limits limits{.header_bytes = 1024, .body_bytes = 65536, .tensor_elements = 4096};

weft::served_model model_of(std::vector<weft::tensor_spec> tensors) {
  return {.name = "m", .inputs = tensors, .outputs = std::move(tensors)};
}

// The outputs have the shapes of the inputs, so what was read can be written.
void infer(const weft::served_model& model, const http_request& request) {
  try {
    const weft::detail::infer_call call = weft::detail::read_infer(model, request, limits);
    if (call.inputs.size() != model.inputs.size()) std::abort();
    if (weft::detail::write_infer(model, call, call.inputs).size() == 0) std::abort();
  } catch (const weft::error&) {
  }
  try {
    bool single = false;
    const weft::detail::infer_call call = weft::detail::read_predict(model, request, limits, single);
    if (weft::detail::write_predict(call.inputs[0], single).size() == 0) std::abort();
  } catch (const weft::error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const weft::served_model one = model_of({{"x", weft::wire_type::float32, {-1}}});
  static const weft::served_model texts = model_of({{"x", weft::wire_type::bytes, {2}}});
  static const weft::served_model two =
      model_of({{"x", weft::wire_type::uint8, {-1, 2}}, {"b", weft::wire_type::boolean, {}}});
  std::string input(static_cast<const char*>(static_cast<const void*>(bytes)), size);
  try {
    while (!input.empty()) {
      weft::detail::request_reader reader(limits);
      reader.take(input);
      if (!reader.done()) return 0;  // more would have to come
      http_request request = reader.finish();
      request.body = weft::detail::decode_body(request.body, request.content_encoding, limits.body_bytes);
      for (const weft::served_model* model : {&one, &texts, &two}) infer(*model, request);
    }
  } catch (const weft::detail::http_error&) {  // it says what is wrong
  }
  return 0;
}
