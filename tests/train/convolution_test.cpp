#include <weft/train/convolution.hpp>

#include <weft/async/run.hpp>
#include <weft/compute/any_executor.hpp>
#include <weft/train/classifier.hpp>

#include "../compute/every_context.hpp"
#include "../compute/random_tensor.hpp"
#include "../compute/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace convolution_test {

using weft::classifier;
using weft::convolution_options;
using weft::neural_net;
using weft::neural_net_options;
using weft::tensor;

const neural_net_options small{
    .sizes = {60, 7, 3}, .convolutions = {{.channels = 3}, {.channels = 4, .kernel = 5}}, .image = {2, 6, 5}};

using numbers = std::vector<double>;

// A convolution that keeps the size, the largest of every 2 x 2, and a ReLU.
numbers convolve(const numbers& image, weft::shape<3>& extents, const tensor<float, 4>& weight,
                 const numbers& weights, const numbers& bias) {
  const auto [channels, height, width] = extents;
  const std::int64_t outputs = weight.extent(0);
  const std::int64_t kernel = weight.extent(2);
  numbers result;
  const auto at = [&](std::int64_t o, std::int64_t y, std::int64_t x) {
    double sum = bias[static_cast<std::size_t>(o)];
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t i = 0; i < kernel; ++i) {
        for (std::int64_t j = 0; j < kernel; ++j) {
          const std::int64_t row = y + i - kernel / 2;
          const std::int64_t column = x + j - kernel / 2;
          if (row < 0 || column < 0 || row >= height || column >= width) continue;
          sum += image[static_cast<std::size_t>((c * height + row) * width + column)] *
                 weights[static_cast<std::size_t>(((o * channels + c) * kernel + i) * kernel + j)];
        }
      }
    }
    return sum;
  };
  for (std::int64_t o = 0; o < outputs; ++o) {
    for (std::int64_t y = 0; y + 1 < height; y += 2) {
      for (std::int64_t x = 0; x + 1 < width; x += 2) {
        const double largest =
            std::max(std::max(at(o, y, x), at(o, y, x + 1)), std::max(at(o, y + 1, x), at(o, y + 1, x + 1)));
        result.push_back(std::max(largest, 0.0));
      }
    }
  }
  extents = {outputs, height / 2, width / 2};
  return result;
}

numbers multiply(const numbers& input, const numbers& weights, const numbers& bias, bool relu) {
  numbers result = bias;
  for (std::size_t i = 0; i < input.size(); ++i) {
    for (std::size_t o = 0; o < bias.size(); ++o) result[o] += input[i] * weights[i * bias.size() + o];
  }
  if (relu) std::for_each(result.begin(), result.end(), [](double& value) { value = std::max(value, 0.0); });
  return result;
}

// The mean loss in double precision, of parameters in the order of neural_net::parameters().
double loss_of(const neural_net& network, const std::vector<numbers>& parameters,
               const tensor<float, 2>& samples, const tensor<std::int32_t, 1>& labels) {
  double total = 0.0;
  for (std::int64_t row = 0; row < samples.extent(0); ++row) {
    numbers values(samples[row].begin(), samples[row].end());
    weft::shape<3> extents = network.options().image;
    std::size_t at = 0;
    for (const weft::convolution& layer : network.convolutions()) {
      values = convolve(values, extents, layer.weight, parameters[at], parameters[at + 1]);
      at += 2;
    }
    for (; at < parameters.size(); at += 2) {
      values = multiply(values, parameters[at], parameters[at + 1], at + 2 < parameters.size());
    }
    double sum = 0.0;
    for (const double value : values) sum += std::exp(value);
    total += std::log(sum) - values[static_cast<std::size_t>(labels(row))];
  }
  return total / static_cast<double>(samples.extent(0));
}

TEST(convolution, has_the_gradients_that_finite_differences_give) {
  const neural_net network(small, 3);
  const auto samples = random_tensor<2>({5, 60}, 1);
  const auto labels = random_labels(5, 3, 2);
  std::vector<numbers> parameters;
  for (const auto view : std::as_const(network).parameters())
    parameters.emplace_back(view.begin(), view.end());
  std::vector<numbers> expected;
  constexpr double step = 1e-6;
  for (numbers& array : parameters) {
    numbers& slopes = expected.emplace_back();
    for (double& number : array) {
      const double before = number;
      number = before + step;
      const double above = loss_of(network, parameters, samples, labels);
      number = before - step;
      slopes.push_back((above - loss_of(network, parameters, samples, labels)) / (2.0 * step));
      number = before;
    }
  }
  on_every_context([&](const weft::cpu_context& context) {
    neural_net gradient(small);
    neural_net::workspace space;
    const double loss = network.gradients(context, samples, labels, space, gradient);
    EXPECT_NEAR(loss, loss_of(network, parameters, samples, labels), 1e-6);
    const auto actual = gradient.parameters();
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t array = 0; array < actual.size(); ++array) {
      ASSERT_EQ(actual[array].elements().size(), expected[array].size());
      for (std::size_t i = 0; i < expected[array].size(); ++i) {
        ASSERT_NEAR(static_cast<double>(actual[array].elements()[i]), expected[array][i], 5e-6)
            << "array " << array << " element " << i;
      }
    }
  });
}

TEST(convolution, trains_to_the_same_bits_for_any_threads) {
  expect_same_bits_for_any_threads([](const weft::cpu_context& context) {
    classifier model({.network = small, .seed = 4});
    std::vector<double> history;
    for (std::uint64_t step = 0; step < 5; ++step) {
      history.push_back(model.step(context, random_tensor<2>({37, 60}, step), random_labels(37, 3, step)));
    }
    for (const auto array : model.network().parameters())
      history.insert(history.end(), array.begin(), array.end());
    return history;
  });
}

TEST(convolution, trains_and_is_evaluated_on_an_executor) {
  const auto samples = random_tensor<2>({600, 60}, 1);
  const auto labels = random_labels(600, 3, 2);
  classifier expected({.network = small, .seed = 4});
  const double loss = expected.step(weft::cpu_context{}, samples, labels);
  classifier model({.network = small, .seed = 4});
  weft::any_executor executor = weft::make_executor("cpu:2");
  weft::evaluation result;
  weft::run([&]() -> weft::task<void> {
    co_await model.move_to(executor.base());
    const double first = co_await model.step(executor.base(), samples, labels);
    EXPECT_EQ(first, loss);
    result = co_await weft::evaluate(executor.base(), model.network(), samples, labels);
    co_await model.move_to_host(executor.base());
  }());
  const weft::evaluation again = expected.evaluate(weft::cpu_context{}, samples, labels);
  EXPECT_EQ(result.loss, again.loss);
  EXPECT_EQ(result.correct, again.correct);
  for (std::size_t array = 0; array < 8; ++array) {
    const auto left = model.network().parameters()[array];
    const auto right = expected.network().parameters()[array];
    EXPECT_TRUE(std::equal(left.begin(), left.end(), right.begin(), right.end())) << "array " << array;
  }
}

TEST(convolution, is_what_it_was_after_saving_and_loading) {
  const temporary_folder folder;
  const neural_net network(small, 11);
  weft::save(network, folder / "network.safetensors");
  const neural_net loaded = weft::load_neural_net(folder / "network.safetensors");
  EXPECT_EQ(loaded.options(), network.options());
  for (std::size_t array = 0; array < 8; ++array) {
    const auto left = network.parameters()[array];
    const auto right = loaded.parameters()[array];
    EXPECT_TRUE(std::equal(left.begin(), left.end(), right.begin(), right.end())) << "array " << array;
  }
}

TEST(convolution, refuses_layers_that_cannot_be) {
  const auto refusal = [](const neural_net_options& options) {
    return message_of<weft::invalid_argument>([&] { neural_net network(options); });
  };
  EXPECT_EQ(refusal({.sizes = {60, 3}, .convolutions = {{.channels = 2}}, .image = {1, 6, 5}}),
            "neural_net 60-3 with a convolution 3x3 to 2: the image [1, 6, 5] must have 60 elements");
  EXPECT_EQ(refusal({.sizes = {30, 3}, .convolutions = {{.channels = 2, .kernel = 2}}, .image = {1, 6, 5}}),
            "neural_net 30-3 with a convolution 2x2 to 2: a convolution's kernel must be odd");
  EXPECT_EQ(refusal({.sizes = {30, 3}, .convolutions = {{.channels = 0}}, .image = {1, 6, 5}}),
            "neural_net 30-3 with a convolution 3x3 to 0: a convolution's channels must be above 0");
  EXPECT_NE(refusal({.sizes = {30, 3}, .convolutions = {{}, {}, {}}, .image = {1, 6, 5}}).find("too small"),
            std::string::npos);
}

}  // namespace convolution_test
