#include <serve/infer_codec.hpp>

#include <observe/json.hpp>
#include <serve/tensor_json.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <simdjson.h>

#include <algorithm>  // for std::find_if
#include <charconv>   // for std::from_chars
#include <cstdint>    // for std::uintptr_t
#include <cstring>    // for std::memcpy
#include <iterator>   // for std::back_inserter

namespace weft::detail {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kept_capacity = std::size_t{1} << 20;  // of a thread's parser, between requests

// The thread's parser, whose memory is used again unless a request was large.
class parsed_json {
 public:
  explicit parsed_json(std::string_view text) {
    const auto problem = parser().parse(text.data(), text.size(), false).get(root_);
    if (problem != simdjson::SUCCESS) {
      trim();
      refuse(std::string("the body is not JSON: ") + simdjson::error_message(problem));
    }
  }
  parsed_json(const parsed_json&) = delete;
  parsed_json& operator=(const parsed_json&) = delete;
  ~parsed_json() { trim(); }

  dom::object object() const {
    dom::object found;
    if (root_.get(found) != simdjson::SUCCESS) refuse("the body is not a JSON object");
    return found;
  }

 private:
  static dom::parser& parser() {
    thread_local dom::parser own;
    return own;
  }
  static void trim() {
    if (parser().capacity() > kept_capacity) parser() = dom::parser();
  }

  dom::element root_;
};

std::optional<dom::element> find(dom::object object, std::string_view key) {
  dom::element found;
  if (object.at_key(key).get(found) != simdjson::SUCCESS) return std::nullopt;
  return found;
}

std::string read_string(dom::element element, const std::string& field) {
  std::string_view text;
  if (element.get(text) != simdjson::SUCCESS) refuse(field + ": must be a string");
  return std::string(text);
}

std::uint64_t read_unsigned(dom::element element, const std::string& field) {
  std::uint64_t number = 0;
  if (element.get(number) != simdjson::SUCCESS)
    refuse(field + ": must be a whole number that is not negative");
  return number;
}

bool read_bool(dom::element element, const std::string& field) {
  bool value = false;
  if (element.get(value) != simdjson::SUCCESS) refuse(field + ": must be true or false");
  return value;
}

dom::array read_array(dom::element element, const std::string& field) {
  dom::array array;
  if (element.get(array) != simdjson::SUCCESS) refuse(field + ": must be an array");
  return array;
}

std::optional<dom::object> read_parameters(dom::object owner, const std::string& field) {
  const std::optional<dom::element> found = find(owner, "parameters");
  if (!found) return std::nullopt;
  dom::object parameters;
  if (found->get(parameters) != simdjson::SUCCESS) refuse(field + "parameters: must be an object");
  if (find(parameters, "shared_memory_region"))
    refuse(field + "parameters.shared_memory_region: is not supported");
  return parameters;
}

// Its elements, checked before anything is allocated for them.
std::int64_t count_elements(const std::vector<std::int64_t>& shape, const std::string& field,
                            const server_limits& limits) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 1) refuse(fmt::format("{}: [{}] has an extent below 1", field, fmt::join(shape, ", ")));
    if (count > limits.tensor_elements / extent) {
      throw http_error(413, fmt::format("{}: [{}] has more than the {} elements that a tensor may have",
                                        field, fmt::join(shape, ", "), limits.tensor_elements));
    }
    count *= extent;
  }
  return count;
}

void check_shape(const served_model& model, const tensor_spec& spec, const std::vector<std::int64_t>& shape,
                 const std::string& field) {
  bool fits = shape.size() == spec.shape.size() + 1;
  for (std::size_t i = 0; fits && i < spec.shape.size(); ++i) {
    fits = spec.shape[i] == -1 || spec.shape[i] == shape[i + 1];
  }
  if (!fits) {
    refuse(fmt::format("{}: [{}] does not fit the model, which takes [items{}{}]", field,
                       fmt::join(shape, ", "), spec.shape.empty() ? "" : ", ", fmt::join(spec.shape, ", ")));
  }
  if (shape[0] > static_cast<std::int64_t>(model.batching.max_batch_size)) {
    refuse(fmt::format("{}: {} items are more than the model's max_batch_size of {}", field, shape[0],
                       model.batching.max_batch_size));
  }
}

std::vector<std::int64_t> read_shape(dom::element element, const std::string& field) {
  std::vector<std::int64_t> shape;
  for (const dom::element each : read_array(element, field)) {
    std::int64_t extent = 0;
    if (each.get(extent) != simdjson::SUCCESS) refuse(field + ": must have whole numbers");
    if (shape.size() == largest_rank)
      refuse(fmt::format("{}: has more than {} extents", field, largest_rank));
    shape.push_back(extent);
  }
  return shape;
}

// The binary tensors that follow the JSON.
class binary_section {
 public:
  binary_section(std::span<const std::byte> bytes, std::shared_ptr<const void> owner)
      : rest_(bytes), owner_(std::move(owner)) {}

  inference_tensor take(const tensor_spec& spec, std::vector<std::int64_t> shape, std::int64_t count,
                        std::uint64_t size, const std::string& field) {
    if (size > rest_.size()) {
      refuse(fmt::format("{}parameters.binary_data_size: {} bytes, of which the body has {}", field, size,
                         rest_.size()));
    }
    if (spec.type != wire_type::bytes && size != static_cast<std::uint64_t>(count) * size_of(spec.type)) {
      refuse(fmt::format("{}parameters.binary_data_size: {} bytes, but the shape and {} need {}", field, size,
                         to_string(spec.type), static_cast<std::uint64_t>(count) * size_of(spec.type)));
    }
    std::span<const std::byte> mine = rest_.first(size);
    rest_ = rest_.subspan(size);
    return tensor_of(spec, std::move(shape), mine, field);
  }

  std::size_t left() const noexcept { return rest_.size(); }

  inference_tensor tensor_of(const tensor_spec& spec, std::vector<std::int64_t> shape,
                             std::span<const std::byte> bytes, const std::string& field) const {
    std::shared_ptr<const void> owner = owner_;
    const std::size_t width = std::max<std::size_t>(size_of(spec.type), 1);
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % width != 0) {
      const byte_block copy(bytes.size());
      std::memcpy(copy.data(), bytes.data(), bytes.size());
      bytes = copy.bytes();
      owner = copy.owner();
    }
    if (spec.type == wire_type::boolean) {
      for (const std::byte each : bytes) {
        if (each > std::byte{1}) refuse(field + "a BOOL of the binary data is neither 0 nor 1");
      }
    }
    try {
      return {spec.name, spec.type, std::move(shape), bytes, std::move(owner)};
    } catch (const shape_error& error) {
      refuse(field + error.what());
    }
  }

 private:
  std::span<const std::byte> rest_;
  std::shared_ptr<const void> owner_;
};

std::size_t index_of(const std::vector<tensor_spec>& specs, const std::string& name,
                     const std::string& field) {
  const auto found =
      std::find_if(specs.begin(), specs.end(), [&](const tensor_spec& each) { return each.name == name; });
  if (found == specs.end()) refuse(field + ": the model has none that is called '" + name + "'");
  return static_cast<std::size_t>(found - specs.begin());
}

void read_options(dom::object parameters, const served_model& model, infer_options& options) {
  if (const auto timeout = find(parameters, "timeout")) {
    // Beyond an hour there is no point in a time limit, and no overflow short of it.
    constexpr std::uint64_t longest = 3'600'000'000;
    options.timeout =
        std::chrono::microseconds(std::min(read_unsigned(*timeout, "parameters.timeout"), longest));
  }
  if (const auto priority = find(parameters, "priority")) {
    options.priority = read_unsigned(*priority, "parameters.priority");
    if (options.priority > model.batching.priority_levels) {
      refuse(fmt::format("parameters.priority: {}, the model has {} levels", options.priority,
                         model.batching.priority_levels));
    }
  }
  for (const std::string_view key : {"sequence_id", "sequence_start", "sequence_end"}) {
    if (find(parameters, key)) refuse(fmt::format("parameters.{}: sequences are not supported", key));
  }
}

void read_input(const served_model& model, dom::element element, const std::string& field,
                binary_section& binary, const server_limits& limits,
                std::vector<std::optional<inference_tensor>>& inputs) {
  dom::object object;
  if (element.get(object) != simdjson::SUCCESS) refuse(field + ": must be an object");
  const auto need = [&](std::string_view key) {
    const std::optional<dom::element> found = find(object, key);
    if (!found) refuse(fmt::format("{}.{}: is missing", field, key));
    return *found;
  };
  const std::string name = read_string(need("name"), field + ".name");
  const std::size_t index = index_of(model.inputs, name, field + ".name");
  const tensor_spec& spec = model.inputs[index];
  if (inputs[index]) refuse(field + ".name: there are two inputs called '" + name + "'");
  const std::string type = read_string(need("datatype"), field + ".datatype");
  if (!wire_type_from(type)) refuse(field + ".datatype: there is no type '" + type + "'");
  if (type != to_string(spec.type)) {
    refuse(fmt::format("{}.datatype: {}, the model takes {}", field, type, to_string(spec.type)));
  }
  std::vector<std::int64_t> shape = read_shape(need("shape"), field + ".shape");
  const std::int64_t count = count_elements(shape, field + ".shape", limits);
  check_shape(model, spec, shape, field + ".shape");
  const std::optional<dom::object> parameters = read_parameters(object, field + ".");
  const std::optional<dom::element> size = parameters ? find(*parameters, "binary_data_size") : std::nullopt;
  const std::optional<dom::element> data = find(object, "data");
  if (size && data) refuse(field + ": has both data and parameters.binary_data_size");
  if (size) {
    const std::uint64_t bytes = read_unsigned(*size, field + ".parameters.binary_data_size");
    inputs[index] = binary.take(spec, std::move(shape), count, bytes, field + ".");
  } else if (data) {
    inputs[index] = tensor_from_json(*data, spec, std::move(shape), count, field + ".data");
  } else {
    refuse(field + ".data: is missing");
  }
}

void check_items(const served_model& model, const std::vector<inference_tensor>& inputs) {
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    if (inputs[i].shape()[0] == inputs[0].shape()[0]) continue;
    refuse(fmt::format("inputs: '{}' has {} items and '{}' has {}", model.inputs[0].name,
                       inputs[0].shape()[0], model.inputs[i].name, inputs[i].shape()[0]));
  }
}

void want_all(const served_model& model, bool binary, infer_call& call) {
  for (std::size_t i = 0; i < model.outputs.size(); ++i) call.outputs.push_back({i, binary});
}

void read_outputs(const served_model& model, dom::object body, bool binary, infer_call& call) {
  const std::optional<dom::element> listed = find(body, "outputs");
  if (listed) {
    std::size_t number = 0;
    for (const dom::element each : read_array(*listed, "outputs")) {
      const std::string field = fmt::format("outputs[{}]", number++);
      dom::object object;
      if (each.get(object) != simdjson::SUCCESS) refuse(field + ": must be an object");
      const std::optional<dom::element> name = find(object, "name");
      if (!name) refuse(field + ".name: is missing");
      const std::size_t index = index_of(model.outputs, read_string(*name, field + ".name"), field + ".name");
      for (const wanted_output& other : call.outputs) {
        if (other.index == index) refuse(field + ".name: it is asked for twice");
      }
      wanted_output wanted{index, binary};
      if (const auto parameters = read_parameters(object, field + ".")) {
        if (const auto own = find(*parameters, "binary_data")) {
          wanted.binary = read_bool(*own, field + ".parameters.binary_data");
        }
        if (find(*parameters, "classification"))
          refuse(field + ".parameters.classification: is not supported");
      }
      call.outputs.push_back(wanted);
    }
  }
  if (call.outputs.empty()) want_all(model, binary, call);
}

infer_call read_json(const served_model& model, const http_request& request, std::size_t json_size,
                     const server_limits& limits) {
  const parsed_json parsed(request.body.text().substr(0, json_size));
  const dom::object body = parsed.object();
  binary_section binary(request.body.bytes().subspan(json_size), request.body.owner());
  infer_call call;
  if (const auto id = find(body, "id")) call.id = read_string(*id, "id");
  bool binary_outputs = false;
  if (const auto parameters = read_parameters(body, "")) {
    read_options(*parameters, model, call.options);
    if (const auto wanted = find(*parameters, "binary_data_output")) {
      binary_outputs = read_bool(*wanted, "parameters.binary_data_output");
    }
  }
  const std::optional<dom::element> listed = find(body, "inputs");
  if (!listed) refuse("inputs: is missing");
  std::vector<std::optional<inference_tensor>> inputs(model.inputs.size());
  std::size_t number = 0;
  for (const dom::element each : read_array(*listed, "inputs")) {
    read_input(model, each, fmt::format("inputs[{}]", number++), binary, limits, inputs);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i]) refuse("inputs: '" + model.inputs[i].name + "' is missing");
    call.inputs.push_back(std::move(*inputs[i]));
  }
  check_items(model, call.inputs);
  if (binary.left() != 0) {
    refuse(fmt::format("inputs: the body has {} bytes behind the last tensor", binary.left()));
  }
  read_outputs(model, body, binary_outputs, call);
  return call;
}

// The whole body is the elements of the model's only input, an item.
infer_call read_raw(const served_model& model, const http_request& request, const server_limits& limits) {
  if (model.inputs.size() != 1) refuse("Inference-Header-Content-Length: 0 is for models of one input");
  const tensor_spec& spec = model.inputs[0];
  std::vector<std::int64_t> shape{1};
  shape.insert(shape.end(), spec.shape.begin(), spec.shape.end());
  byte_block body = request.body;
  if (spec.type == wire_type::bytes) {
    const auto length = static_cast<std::uint32_t>(body.size());
    byte_block text(sizeof(length) + body.size());
    std::memcpy(text.data(), &length, sizeof(length));
    if (length != 0) std::memcpy(text.data() + sizeof(length), body.data(), length);
    body = std::move(text);
  }
  std::int64_t known = 1;
  std::int64_t* open = nullptr;
  for (std::int64_t& extent : shape) {
    if (extent != -1) {
      known *= extent;
      continue;
    }
    if (open != nullptr)
      refuse("the shape of a raw request is not known: the input has several open extents");
    open = &extent;
  }
  const auto width = static_cast<std::int64_t>(size_of(spec.type));
  if (open != nullptr) *open = width == 0 ? 1 : static_cast<std::int64_t>(body.size()) / (known * width);
  const std::int64_t count = count_elements(shape, "the raw request", limits);
  binary_section binary(body.bytes(), body.owner());
  infer_call call;
  call.inputs.push_back(binary.take(spec, std::move(shape), count, body.size(), "the raw request: "));
  want_all(model, true, call);
  return call;
}

void append_output(std::string& text, const served_model& model, const wanted_output& wanted,
                   const inference_tensor& output) {
  fmt::format_to(std::back_inserter(text), R"({{"name":{},"datatype":"{}","shape":[{}],)",
                 json_string(model.outputs[wanted.index].name), to_string(output.type()),
                 fmt::join(output.shape(), ","));
  if (wanted.binary) {
    fmt::format_to(std::back_inserter(text), R"("parameters":{{"binary_data_size":{}}}}})",
                   output.bytes().size());
  } else {
    text += "\"data\":";
    append_flat_json(text, output);
    text += '}';
  }
}

}  // namespace

infer_call read_infer(const served_model& model, const http_request& request, const server_limits& limits) {
  std::size_t json_size = request.body.size();
  if (request.json_length) {
    const std::string& given = *request.json_length;
    const auto [end, problem] = std::from_chars(given.data(), given.data() + given.size(), json_size);
    if (problem != std::errc() || end != given.data() + given.size()) {
      refuse("Inference-Header-Content-Length: '" + given + "' is no size");
    }
    if (json_size > request.body.size()) {
      refuse(fmt::format("Inference-Header-Content-Length: {}, the body has {} bytes", json_size,
                         request.body.size()));
    }
    if (json_size == 0) return read_raw(model, request, limits);
  }
  return read_json(model, request, json_size, limits);
}

http_response write_infer(const served_model& model, const infer_call& call,
                          const std::vector<inference_tensor>& outputs) {
  http_response response;
  std::string& text = response.text;
  fmt::format_to(std::back_inserter(text), R"({{"model_name":{},"model_version":{},)",
                 json_string(model.name), json_string(model.version));
  if (call.id) fmt::format_to(std::back_inserter(text), R"("id":{},)", json_string(*call.id));
  text += "\"outputs\":[";
  bool first = true;
  for (const wanted_output& wanted : call.outputs) {
    if (!first) text += ',';
    first = false;
    append_output(text, model, wanted, outputs[wanted.index]);
    if (wanted.binary) response.attachments.push_back(outputs[wanted.index]);
  }
  text += "]}";
  if (!response.attachments.empty()) {
    response.content_type = "application/octet-stream";
    response.headers = fmt::format("Inference-Header-Content-Length: {}\r\n", text.size());
  }
  return response;
}

infer_call read_predict(const served_model& model, const http_request& request, const server_limits& limits,
                        bool& single) {
  if (model.inputs.size() != 1)
    refuse("/predict is for models of one input; use /v2/models/" + model.name + "/infer");
  const tensor_spec& spec = model.inputs[0];
  const parsed_json parsed(request.body.text());
  const std::optional<dom::element> input = find(parsed.object(), "input");
  if (!input) refuse("input: is missing");
  std::vector<std::int64_t> shape = nested_shape(*input, "input");
  // One item as the model takes it, or flat, or with the items in front.
  if (shape.size() == 1 && spec.shape.size() > 1) {
    std::int64_t elements = 1;
    for (const std::int64_t extent : spec.shape) elements *= extent;
    if (elements == shape[0]) shape = spec.shape;
  }
  single = shape.size() == spec.shape.size();
  if (single) shape.insert(shape.begin(), 1);
  const std::int64_t count = count_elements(shape, "input", limits);
  check_shape(model, spec, shape, "input");
  infer_call call;
  call.inputs.push_back(tensor_from_json(*input, spec, std::move(shape), count, "input", single ? 1 : 0));
  call.outputs.push_back({0, false});
  return call;
}

http_response write_predict(const inference_tensor& output, bool single) {
  http_response response;
  response.text = "{\"output\":";
  append_nested_json(response.text, output, single);
  response.text += '}';
  return response;
}

}  // namespace weft::detail
