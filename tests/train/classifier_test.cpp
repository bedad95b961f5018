#include <weft/train/classifier.hpp>

#include <weft/async/run.hpp>
#include <weft/compute/cpu_executor.hpp>

#include "../compute/every_context.hpp"
#include "../compute/random_tensor.hpp"
#include "reference_step.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace classifier_test {

using weft::adam;
using weft::adam_options;
using weft::classifier;
using weft::classifier_options;
using weft::cpu_context;
using weft::neural_net;
using weft::tensor;

std::vector<float> parameters_of(const neural_net& network) {
  std::vector<float> all;
  for (const weft::linear& layer : network.linears()) {
    all.insert(all.end(), layer.weight.elements().begin(), layer.weight.elements().end());
    all.insert(all.end(), layer.bias.elements().begin(), layer.bias.elements().end());
  }
  return all;
}

// pattern() of reference_step.py.
void fill_pattern(std::span<float> values, std::int64_t step, std::int64_t modulus) {
  std::int64_t index = 0;
  for (float& value : values) value = static_cast<float>((index++ * step % modulus) - modulus / 2) / 8.0F;
}

void expect_all_near(std::span<const float> actual, std::span<const double> expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(actual[i]), expected[i], tolerance) << "element " << i;
  }
}

TEST(classifier, makes_the_steps_that_numpy_makes) {
  on_every_context([](const cpu_context& context) {
    classifier model({.network = {.sizes = {5, 4, 3}}, .optimizer = {.learning_rate = 0.01}});
    const std::span<weft::linear> layers = model.network().linears();
    fill_pattern(layers[0].weight.elements(), 7, 11);
    fill_pattern(layers[1].weight.elements(), 5, 9);
    fill_pattern(layers[0].bias.elements(), 3, 5);
    fill_pattern(layers[1].bias.elements(), 2, 3);
    tensor<float, 2> samples({6, 5});
    fill_pattern(samples.elements(), 13, 23);
    const tensor<std::int32_t, 1> labels({6}, std::vector<std::int32_t>{0, 2, 1, 0, 2, 1});

    neural_net gradient({.sizes = {5, 4, 3}});
    neural_net::workspace space;
    EXPECT_NEAR(model.network().gradients(context, samples, labels, space, gradient), reference::losses[0],
                1e-6);
    expect_all_near(gradient.linears()[0].weight.elements(), reference::gradient_weight0, 1e-7);
    expect_all_near(gradient.linears()[1].weight.elements(), reference::gradient_weight1, 1e-7);
    expect_all_near(gradient.linears()[0].bias.elements(), reference::gradient_bias0, 1e-7);
    expect_all_near(gradient.linears()[1].bias.elements(), reference::gradient_bias1, 1e-7);

    for (const double loss : reference::losses) EXPECT_NEAR(model.step(context, samples, labels), loss, 1e-6);
    EXPECT_EQ(model.optimizer().steps(), 3);
    expect_all_near(layers[0].weight.elements(), reference::parameter_weight0, 1e-6);
    expect_all_near(layers[1].weight.elements(), reference::parameter_weight1, 1e-6);
    expect_all_near(layers[0].bias.elements(), reference::parameter_bias0, 1e-6);
    expect_all_near(layers[1].bias.elements(), reference::parameter_bias1, 1e-6);
  });
}

// The loss of one batch in double precision, with one parameter changed.
double loss_of(const neural_net& network, const tensor<float, 2>& samples,
               const tensor<std::int32_t, 1>& labels, std::size_t changed_layer, bool bias,
               std::int64_t changed, double by) {
  double total = 0.0;
  for (std::int64_t row = 0; row < samples.extent(0); ++row) {
    std::vector<double> values(samples[row].begin(), samples[row].end());
    for (std::size_t index = 0; index < network.linears().size(); ++index) {
      const weft::linear& layer = network.linears()[index];
      std::vector<double> next(layer.bias.elements().begin(), layer.bias.elements().end());
      for (std::int64_t i = 0; i < layer.inputs(); ++i) {
        for (std::int64_t o = 0; o < layer.outputs(); ++o) {
          next[static_cast<std::size_t>(o)] +=
              values[static_cast<std::size_t>(i)] * static_cast<double>(layer.weight(i, o));
        }
      }
      if (index == changed_layer) {
        if (bias) {
          next[static_cast<std::size_t>(changed)] += by;
        } else {
          next[static_cast<std::size_t>(changed % layer.outputs())] +=
              by * values[static_cast<std::size_t>(changed / layer.outputs())];
        }
      }
      if (index + 1 < network.linears().size()) {
        for (double& value : next) value = std::max(value, 0.0);
      }
      values = next;
    }
    double sum = 0.0;
    for (const double value : values) sum += std::exp(value);
    total += std::log(sum) - values[static_cast<std::size_t>(labels(row))];
  }
  return total / static_cast<double>(samples.extent(0));
}

TEST(neural_net, has_the_gradients_that_finite_differences_give) {
  const neural_net network({.sizes = {9, 17, 12, 5}}, 3);
  const auto samples = random_tensor<2>({11, 9}, 1);
  const auto labels = random_labels(11, 5, 2);
  on_every_context([&](const cpu_context& context) {
    neural_net gradient(network.options());
    neural_net::workspace space;
    network.gradients(context, samples, labels, space, gradient);
    constexpr double step = 1e-6;
    for (std::size_t layer = 0; layer < 3; ++layer) {
      for (const bool bias : {false, true}) {
        const auto slopes =
            bias ? gradient.linears()[layer].bias.elements() : gradient.linears()[layer].weight.elements();
        for (std::size_t i = 0; i < slopes.size(); ++i) {
          const auto at = static_cast<std::int64_t>(i);
          const double expected = (loss_of(network, samples, labels, layer, bias, at, step) -
                                   loss_of(network, samples, labels, layer, bias, at, -step)) /
                                  (2.0 * step);
          ASSERT_NEAR(static_cast<double>(slopes[i]), expected, 2e-6)
              << "layer " << layer << " element " << i;
        }
      }
    }
  });
}

std::vector<double> train(const cpu_context& context) {
  classifier model({.network = {.sizes = {100, 70, 33, 10}}, .seed = 5});
  std::vector<double> history;
  for (std::uint64_t step = 0; step < 12; ++step) {
    const std::int64_t batch = step == 5 ? 31 : 64;
    history.push_back(
        model.step(context, random_tensor<2>({batch, 100}, step), random_labels(batch, 10, step)));
  }
  for (const float parameter : parameters_of(model.network()))
    history.push_back(static_cast<double>(parameter));
  return history;
}

TEST(classifier, trains_to_the_same_bits_for_any_threads) {
  expect_same_bits_for_any_threads(train);
}

TEST(classifier, trains_to_the_same_bits_as_a_kernel_of_an_executor) {
  const auto samples = random_tensor<2>({128, 784}, 1);
  const auto labels = random_labels(128, 10, 2);
  classifier serial({.seed = 1});
  std::vector<double> expected;
  for (int step = 0; step < 4; ++step) expected.push_back(serial.step(cpu_context{}, samples, labels));
  for (const int threads : {1, 2, 3}) {
    weft::cpu_executor executor({.threads = threads});
    classifier model({.seed = 1});
    std::vector<double> losses;
    weft::run([&]() -> weft::task<void> {
      for (int step = 0; step < 4; ++step) {
        losses.push_back(co_await executor.run(model.training_step(), samples.view(), labels.view()));
      }
    }());
    EXPECT_EQ(losses, expected);
    EXPECT_EQ(parameters_of(model.network()), parameters_of(serial.network()));
  }
}

TEST(classifier, trains_several_at_once_on_plain_threads) {
  const std::vector<double> expected = train(cpu_context{});
  std::array<std::vector<double>, 4> results;
  std::vector<std::thread> threads;
  for (auto& result : results) threads.emplace_back([&result] { result = train(cpu_context{}); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

TEST(classifier, agrees_between_instruction_sets) {
  const std::vector<double> reference = train(cpu_context(weft::supported_isas().front()));
  for (const weft::isa level : weft::supported_isas()) {
    const std::vector<double> other = train(cpu_context(level));
    for (std::size_t i = 0; i < reference.size(); ++i) ASSERT_NEAR(other[i], reference[i], 2e-4);
  }
}

TEST(classifier, learns_to_separate_what_can_be_separated) {
  // Two interleaved rings cannot be told apart by one linear layer.
  tensor<float, 2> samples({256, 2});
  tensor<std::int32_t, 1> labels({256});
  for (std::int64_t i = 0; i < 256; ++i) {
    const double angle = static_cast<double>(i) * 0.7;
    const double radius = i % 2 == 0 ? 1.0 : 2.0;
    samples(i, 0) = static_cast<float>(radius * std::cos(angle));
    samples(i, 1) = static_cast<float>(radius * std::sin(angle));
    labels(i) = static_cast<std::int32_t>(i % 2);
  }
  const cpu_context context;
  classifier model({.network = {.sizes = {2, 32, 2}}, .seed = 1, .optimizer = {.learning_rate = 0.01}});
  for (int step = 0; step < 300; ++step) model.step(context, samples, labels);
  EXPECT_EQ(model.evaluate(context, samples, labels).accuracy, 1.0);
}

TEST(classifier, changes_nothing_if_the_batch_is_wrong) {
  const cpu_context context;
  classifier model({.network = {.sizes = {4, 5, 3}}, .seed = 1});
  const auto before = parameters_of(model.network());
  const auto samples = random_tensor<2>({2, 4}, 1);
  const tensor<std::int32_t, 1> labels({2}, std::vector<std::int32_t>{0, 3});
  EXPECT_EQ(message_of<weft::invalid_argument>([&] { model.step(context, samples, labels); }),
            "softmax_cross_entropy: label 3 of row 1 is outside [0, 3)");
  EXPECT_EQ(message_of<weft::shape_error>([&] {
              model.step(context, random_tensor<2>({2, 5}, 1), labels);
            }),
            "neural_net::forward: samples have shape [2, 5] but the network 4-5-3 takes [batch, 4]");
  EXPECT_THROW(model.step(context, samples, tensor<std::int32_t, 1>({3})), weft::shape_error);
  EXPECT_EQ(parameters_of(model.network()), before);
  EXPECT_EQ(model.optimizer().steps(), 0);
}

TEST(classifier, refuses_options_that_cannot_work) {
  EXPECT_EQ(message_of<weft::invalid_argument>([] { classifier({.network = {.sizes = {4}}}); }),
            "neural_net 4: inputs and classes are needed, and every size must be positive");
  EXPECT_THROW(classifier({.network = {.sizes = {4, 0, 2}}}), weft::invalid_argument);
  EXPECT_THROW(classifier({.network = {.sizes = {}}}), weft::invalid_argument);
  EXPECT_EQ(message_of<weft::invalid_argument>([] {
              classifier({.network = {.sizes = {4, 2}}, .optimizer = {.learning_rate = -1.0}});
            }),
            "adam: learning_rate is -1.000000: it must be finite and at least 0");
}

TEST(adam, follows_its_learning_rate) {
  const cpu_context context;
  neural_net network({.sizes = {3, 2}}, 1);
  neural_net gradient({.sizes = {3, 2}});
  for (float& slope : gradient.linears()[0].weight.elements()) slope = 1.0F;
  adam optimizer(network, {.learning_rate = 0.5, .epsilon = 0.0});
  const auto before = parameters_of(network);
  optimizer.step(context, network, gradient);
  EXPECT_NEAR(parameters_of(network)[0], before[0] - 0.5F, 1e-6);
  optimizer.set_learning_rate(0.0);
  const auto between = parameters_of(network);
  optimizer.step(context, network, gradient);
  EXPECT_EQ(parameters_of(network)[0], between[0]);
  EXPECT_EQ(optimizer.steps(), 2);
  EXPECT_THROW(optimizer.set_learning_rate(std::nan("")), weft::invalid_argument);
  EXPECT_THROW(optimizer.step(context, network, neural_net({.sizes = {3, 3}})), weft::invalid_argument);
}

}  // namespace classifier_test
