// The server of weft/serve, driven over HTTP: mostly one thread for the connections and one for the model.

#include "http_cases.hpp"

#include <fmt/format.h>

#include <cstdio>     // for stdout, stderr
#include <exception>  // for std::exception
#include <memory>     // for std::make_shared
#include <thread>     // for std::this_thread
#include <weft/compute/kernels/softmax.hpp>
#include <weft/serve/server.hpp>
#include <weft/train/neural_net.hpp>

namespace {

using weft::inference_tensor;
using tensors = std::vector<inference_tensor>;

tensors classify(const weft::neural_net& network, weft::neural_net::workspace& space,
                 const inference_tensor& input) {
  const std::int64_t items = input.shape()[0];
  const auto pixels = input.values<std::uint8_t>();
  weft::tensor<float, 2> samples(weft::shape<2>{items, network.inputs()});
  for (std::size_t i = 0; i < pixels.size(); ++i)
    samples.view().data()[i] = static_cast<float>(pixels[i]) * (1.0F / 255);
  const weft::cpu_context serial;
  const weft::tensor_view<const float, 2> logits = network.forward(serial, samples.view(), space);
  std::vector<float> probabilities(static_cast<std::size_t>(items * network.classes()));
  weft::softmax{}(serial, logits, weft::tensor_view<float, 2>(probabilities.data(), logits.extents()));
  return {inference_tensor("probabilities", {items, network.classes()}, std::move(probabilities))};
}

tensors echo(const tensors& inputs) {
  const auto values = inputs[0].values<std::uint8_t>();
  return {
      inference_tensor("output", inputs[0].shape(), std::vector<std::uint8_t>(values.begin(), values.end()))};
}

tensors first_elements(const tensors& inputs) {
  const std::int64_t items = inputs[0].shape()[0];
  const auto values = inputs[0].values<float>();
  const std::size_t distance = values.size() / static_cast<std::size_t>(items);
  std::vector<float> first;
  for (std::size_t i = 0; i < values.size(); i += distance) first.push_back(values[i]);
  return {inference_tensor("first", {items, 1}, std::move(first))};
}

weft::served_model model_of(const http_cases::setup& chosen) {
  weft::served_model model;
  model.name = chosen.model;
  model.batching.max_batch_size = static_cast<std::size_t>(chosen.max_batch_size);
  model.batching.max_queue_delay = std::chrono::microseconds(chosen.max_delay_us);
  model.batching.max_queue_size = static_cast<std::size_t>(chosen.max_queue_size);
  if (chosen.model == "network") {
    const auto network = std::make_shared<const weft::neural_net>(weft::load_neural_net(chosen.weights));
    const auto space = std::make_shared<weft::neural_net::workspace>();  // there is one instance
    model.inputs = {{"image", weft::wire_type::uint8, {network->inputs()}}};
    model.outputs = {{"probabilities", weft::wire_type::float32, {network->classes()}}};
    model.compute = [network, space](const tensors& inputs) { return classify(*network, *space, inputs[0]); };
  } else if (chosen.model == "images") {
    model.inputs = {{"image",
                     weft::wire_type::float32,
                     {http_cases::image_shape.begin(), http_cases::image_shape.end()}}};
    model.outputs = {{"first", weft::wire_type::float32, {1}}};
    model.compute = first_elements;
  } else {
    const bool waits = chosen.model == "device";
    model.inputs = {{"input", weft::wire_type::uint8, {http_cases::echo_elements}}};
    model.outputs = {{"output", weft::wire_type::uint8, {http_cases::echo_elements}}};
    model.compute = [waits](const tensors& inputs) {
      if (waits) std::this_thread::sleep_for(std::chrono::milliseconds(http_cases::device_ms));
      return echo(inputs);
    };
  }
  return model;
}

void serve(const http_cases::setup& chosen) {
  weft::inference_server server({.port = 0,
                                 .threads = static_cast<std::size_t>(chosen.loops),
                                 .limits = {.idle = std::chrono::minutes(10)}});
  server.load(model_of(chosen));
  fmt::print("listening {}\n", server.port());
  std::fflush(stdout);
  server.serve_until_signal(std::chrono::seconds(0));
}

}  // namespace

int main(int count, char** arguments) {
  try {
    if (count < 2 || std::string_view(arguments[1]) != "--serve")
      return http_cases::measure(count, arguments, http_cases::this_program());
    serve(http_cases::setup_of(count, arguments));
  } catch (const std::exception& failure) {
    fmt::print("{}\n", failure.what());
    return 1;
  }
  return 0;
}
