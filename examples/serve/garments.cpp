#include "garments.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>   // for std::max_element
#include <array>       // for std::array
#include <filesystem>  // for std::filesystem::exists
#include <iterator>    // for std::back_inserter
#include <utility>     // for std::move
#include <vector>      // for std::vector
#include <weft/async/gather.hpp>
#include <weft/async/run.hpp>
#include <weft/compute/any_executor.hpp>
#include <weft/compute/kernels/softmax.hpp>
#include <weft/compute/transfer.hpp>
#include <weft/data/collate.hpp>
#include <weft/data/sampler.hpp>
#include <weft/pool/thread_pool.hpp>
#include <weft/train/classifier.hpp>

namespace garments {
namespace {

constexpr std::array<std::string_view, 10> class_names = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};
constexpr std::int64_t sample_count = 24;
constexpr std::int64_t training_batch = 128;

weft::image_files files(const std::string& folder, const std::string& part) {
  const std::filesystem::path place(folder);
  return {.images = (place / (part + "-images-idx3-ubyte.gz")).string(),
          .labels = (place / (part + "-labels-idx1-ubyte.gz")).string(),
          .classes = static_cast<int>(class_names.size())};
}

weft::neural_net train(const images& data) {
  fmt::print("no weights: training for one epoch\n");
  weft::classifier model({.network = {.sizes = {data.train.image_size(), 256, 128,
                                                static_cast<std::int64_t>(class_names.size())}},
                          .seed = 1});
  const weft::cpu_context serial;
  const weft::batch_order order(weft::sampler::shuffled(data.train.count, 1).epoch(0), training_batch);
  for (std::int64_t step = 0; step < order.size(); ++step) {
    const weft::image_batch batch = weft::collate(data.train, order[step], data.scale);
    model.step(serial, batch.images.view(), batch.labels.view());
  }
  return std::move(model.network());
}

// The forward pass as a kernel.
struct forward_pass {
  const weft::neural_net* network;
  weft::neural_net::workspace* space;

  template <class Context>
  weft::tensor_view<const float, 2> operator()(const Context& context,
                                               weft::tensor_view<const float, 2> samples) const {
    return network->forward(context, samples, *space);
  }
};

// The network where it computes.
class classifying {
 public:
  classifying(weft::any_executor executor, const weft::neural_net& network, weft::normalize scale)
      : executor_(std::move(executor)),
        network_(weft::run(weft::to(executor_.base(), network))),
        scale_(scale) {}

  std::vector<weft::inference_tensor> operator()(const std::vector<weft::inference_tensor>& inputs) const {
    const std::int64_t items = inputs[0].shape()[0];
    const weft::shape<2> extents{items, network_.inputs()};
    weft::tensor<float, 2> samples(extents);
    scale_(weft::cpu_context{},
           weft::tensor_view<const std::uint8_t, 2>(inputs[0].values<std::uint8_t>().data(), extents),
           samples.view());
    const weft::tensor<float, 2> logits = weft::run(forward(samples));
    std::vector<float> probabilities(static_cast<std::size_t>(items * network_.classes()));
    weft::softmax{}(weft::cpu_context{}, logits.view(),
                    weft::tensor_view<float, 2>(probabilities.data(), logits.extents()));
    std::vector<std::int64_t> labels;
    for (std::int64_t item = 0; item < items; ++item) {
      const auto begin = probabilities.begin() + item * network_.classes();
      labels.push_back(std::max_element(begin, begin + network_.classes()) - begin);
    }
    return {weft::inference_tensor("probabilities", {items, network_.classes()}, std::move(probabilities)),
            weft::inference_tensor("label", {items}, std::move(labels))};
  }

 private:
  weft::task<weft::tensor<float, 2>> forward(const weft::tensor<float, 2>& samples) const {
    weft::neural_net::workspace space;
    const forward_pass pass{&network_, &space};
    const weft::tensor<float, 2> there = co_await weft::to(executor_.base(), samples.view());
    const weft::tensor_view<const float, 2> logits = co_await executor_.base().run(pass, there.view());
    co_return co_await weft::to_host(executor_.base(), logits);
  }

  weft::any_executor executor_;
  weft::neural_net network_;
  weft::normalize scale_;
};

}  // namespace

images load_images(const std::string& folder) {
  weft::thread_pool pool;
  images data;
  std::tie(data.train, data.test) = weft::run(weft::gather(
      weft::load_image_set(pool, files(folder, "train")), weft::load_image_set(pool, files(folder, "t10k"))));
  data.scale = weft::measure_normalization(data.train);
  return data;
}

weft::served_model make_model(const options& chosen, const images& data) {
  const weft::neural_net network =
      std::filesystem::exists(chosen.weights) ? weft::load_neural_net(chosen.weights) : train(data);
  auto compute = std::make_shared<const classifying>(weft::make_executor(chosen.device), network, data.scale);
  return {
      .name = "fashion",
      .inputs = {{"image", weft::wire_type::uint8, {network.inputs()}}},
      .outputs = {{"probabilities", weft::wire_type::float32, {network.classes()}},
                  {"label", weft::wire_type::int64, {}}},
      .compute = [compute](const std::vector<weft::inference_tensor>& inputs) { return (*compute)(inputs); },
      .batching = {.max_batch_size = chosen.batch,
                   .max_queue_delay = std::chrono::microseconds(chosen.delay_us),
                   .latency_goal = std::chrono::microseconds(chosen.goal_us),
                   .max_queue_size = chosen.queue,
                   .instances = chosen.instances}};
}

std::string samples_json(const images& data) {
  std::string text = fmt::format(R"({{"classes":["{}"],"samples":[)", fmt::join(class_names, "\",\""));
  for (std::int64_t i = 0; i < std::min(sample_count, data.test.count); ++i) {
    fmt::format_to(std::back_inserter(text), R"({}{{"label":{},"pixels":[{}]}})", i == 0 ? "" : ",",
                   data.test.labels[static_cast<std::size_t>(i)], fmt::join(data.test.image(i), ","));
  }
  return text + "]}";
}

}  // namespace garments
