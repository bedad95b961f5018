#include <weft/train/neural_net.hpp>

#include <weft/compute/safetensors.hpp>

#include "../compute/every_context.hpp"
#include "../compute/random_tensor.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

namespace neural_net_test {

using weft::linear;
using weft::neural_net;
using weft::tensor;

class temporary_file {
 public:
  temporary_file()
      : path_((std::filesystem::temp_directory_path() /
               ("weft_neural_net_" + std::to_string(::getpid()) + "_" +
                testing::UnitTest::GetInstance()->current_test_info()->name()))
                  .string()) {}
  ~temporary_file() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(linear, starts_with_the_variance_of_he) {
  linear layer(200, 300);
  weft::initialize_he(layer, 7, 0);
  double sum = 0.0;
  double squares = 0.0;
  for (const float weight : layer.weight.elements()) {
    sum += static_cast<double>(weight);
    squares += static_cast<double>(weight) * static_cast<double>(weight);
  }
  const auto count = static_cast<double>(layer.weight.size());
  EXPECT_NEAR(sum / count, 0.0, 4.0 * 0.1 / std::sqrt(count));
  EXPECT_NEAR(squares / count, 0.01, 4.0 * 0.01 * std::sqrt(2.0 / count));
  for (const float bias : layer.bias.elements()) EXPECT_EQ(bias, 0.0F);
}

TEST(linear, starts_as_seed_and_stream_say) {
  linear first(20, 30), again(20, 30), other_seed(20, 30), other_stream(20, 30);
  weft::initialize_he(first, 7, 0);
  weft::initialize_he(again, 7, 0);
  weft::initialize_he(other_seed, 8, 0);
  weft::initialize_he(other_stream, 7, 1);
  const auto same = [&](const linear& layer) {
    return std::equal(first.weight.elements().begin(), first.weight.elements().end(),
                      layer.weight.elements().begin());
  };
  EXPECT_TRUE(same(again));
  EXPECT_FALSE(same(other_seed));
  EXPECT_FALSE(same(other_stream));
}

TEST(neural_net, counts_its_parameters) {
  const neural_net network({.sizes = {784, 256, 128, 10}}, 1);
  EXPECT_EQ(network.parameter_count(), 784 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10);
  EXPECT_EQ(network.inputs(), 784);
  EXPECT_EQ(network.classes(), 10);
  EXPECT_EQ(network.linears().size(), 3U);
}

TEST(neural_net, forgets_an_earlier_batch) {
  const weft::cpu_context context;
  const neural_net network({.sizes = {6, 8, 3}}, 1);
  const neural_net other({.sizes = {6, 4, 4, 2}}, 2);
  neural_net::workspace fresh;
  neural_net::workspace used;
  network.forward(context, random_tensor<2>({50, 6}, 9), used);
  other.forward(context, random_tensor<2>({70, 6}, 9), used);
  for (const std::int64_t batch : {1, 20, 0, 60}) {
    const auto samples = random_tensor<2>({batch, 6}, 3);
    const auto expected = tensor<float, 2>(network.forward(context, samples, fresh));
    const auto logits = network.forward(context, samples, used);
    EXPECT_EQ(logits.extents(), (weft::shape<2>{batch, 3}));
    EXPECT_TRUE(std::equal(logits.begin(), logits.end(), expected.elements().begin()));
  }
}

TEST(neural_net, checks_the_gradients_sizes) {
  const neural_net network({.sizes = {6, 8, 3}}, 1);
  neural_net gradient({.sizes = {6, 7, 3}});
  neural_net::workspace space;
  EXPECT_EQ(message_of<weft::invalid_argument>([&] {
              network.gradients(weft::cpu_context{}, random_tensor<2>({2, 6}, 1), random_labels(2, 3, 1),
                                space, gradient);
            }),
            "neural_net::gradients: the gradient is for a network 6-7-3 but the network is 6-8-3");
}

TEST(neural_net, is_what_it_was_after_saving_and_loading) {
  const temporary_file file;
  const neural_net network({.sizes = {7, 5, 4, 3}}, 11);
  weft::save(network, file.path());
  const neural_net loaded = weft::load_neural_net(file.path());
  EXPECT_EQ(loaded.options(), network.options());
  for (std::size_t index = 0; index < 3; ++index) {
    const linear& saved = network.linears()[index];
    const linear& back = loaded.linears()[index];
    EXPECT_TRUE(std::equal(saved.weight.elements().begin(), saved.weight.elements().end(),
                           back.weight.elements().begin()));
    EXPECT_TRUE(
        std::equal(saved.bias.elements().begin(), saved.bias.elements().end(), back.bias.elements().begin()));
  }
  const weft::safetensors_file raw(file.path());
  EXPECT_EQ(raw.find("layers.1.weight").extents, (std::vector<std::int64_t>{5, 4}));
  EXPECT_EQ(raw.metadata().at("sizes"), "7-5-4-3");
}

TEST(neural_net, names_the_tensor_that_a_file_lacks_or_that_does_not_fit) {
  const temporary_file file;
  const tensor<float, 2> wide({3, 4});
  const tensor<float, 1> bias({4});
  const tensor<float, 1> short_bias({3});
  const auto attempt = [&](const std::vector<weft::safetensors_entry>& entries) {
    weft::write_safetensors(file.path(), entries);
    return message_of<weft::format_error>([&] { weft::load_neural_net(file.path()); });
  };
  EXPECT_NE(attempt({}).find("no tensor 'layers.0.weight'"), std::string::npos);
  EXPECT_NE(attempt({{"layers.0.weight", wide.view()}}).find("no tensor 'layers.0.bias'"), std::string::npos);
  EXPECT_NE(attempt({{"layers.0.weight", wide.view()}, {"layers.0.bias", short_bias.view()}})
                .find("tensor 'layers.0.bias' has shape [3] but 'layers.0.weight' has 4 outputs"),
            std::string::npos);
  EXPECT_NE(attempt({{"layers.0.weight", wide.view()},
                     {"layers.0.bias", bias.view()},
                     {"layers.1.weight", wide.view()},
                     {"layers.1.bias", bias.view()}})
                .find("tensor 'layers.1.weight' has shape [3, 4]"),
            std::string::npos);
}

}  // namespace neural_net_test
