#include <weft/train/evaluation.hpp>

#include "../compute/every_context.hpp"
#include "../compute/random_tensor.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace evaluation_test {

using weft::neural_net;
using weft::tensor;

// A network whose logits are its inputs.
neural_net identity(std::int64_t classes) {
  neural_net network({.sizes = {classes, classes}});
  for (std::int64_t i = 0; i < classes; ++i) network.linears()[0].weight(i, i) = 1.0F;
  return network;
}

TEST(evaluate, counts_what_was_taken_for_what) {
  const tensor<float, 2> samples({4, 3}, std::vector<float>{9, 0, 0, 0, 9, 0, 0, 9, 0, 5, 5, 5});
  const tensor<std::int32_t, 1> labels({4}, std::vector<std::int32_t>{0, 1, 2, 1});
  const weft::evaluation result = weft::evaluate(weft::cpu_context{}, identity(3), samples, labels);
  EXPECT_EQ(
      std::vector<std::int32_t>(result.predictions.elements().begin(), result.predictions.elements().end()),
      (std::vector<std::int32_t>{0, 1, 1, 0}));  // the lowest of equal logits
  EXPECT_EQ(std::vector<std::int64_t>(result.confusion.elements().begin(), result.confusion.elements().end()),
            (std::vector<std::int64_t>{1, 0, 0, 1, 1, 0, 0, 1, 0}));
  EXPECT_EQ(result.correct, 2);
  EXPECT_EQ(result.accuracy, 0.5);
  const double sure = std::log(1.0 + 2.0 * std::exp(-9.0));
  EXPECT_NEAR(result.loss, (3.0 * sure + 9.0 + std::log(3.0)) / 4.0, 1e-6);
}

TEST(evaluate, takes_many_samples_in_parts) {
  const std::int64_t count = 1300;
  const neural_net network({.sizes = {20, 16, 10}}, 1);
  const auto samples = random_tensor<2>({count, 20}, 1);
  const auto labels = random_labels(count, 10, 2);
  on_every_context([&](const weft::cpu_context& context) {
    const weft::evaluation result = weft::evaluate(context, network, samples, labels);
    neural_net::workspace space;
    const auto logits = network.forward(context, samples, space);
    std::int64_t correct = 0;
    for (std::int64_t row = 0; row < count; ++row) {
      std::int32_t best = 0;
      for (std::int32_t column = 1; column < 10; ++column) {
        if (logits(row, column) > logits(row, best)) best = column;
      }
      ASSERT_EQ(result.predictions(row), best);
      correct += best == labels(row) ? 1 : 0;
    }
    EXPECT_EQ(result.correct, correct);
    const auto predictions = weft::predict(context, network, samples);
    EXPECT_TRUE(std::equal(predictions.elements().begin(), predictions.elements().end(),
                           result.predictions.elements().begin()));
    std::int64_t counted = 0;
    for (const std::int64_t cell : result.confusion.elements()) counted += cell;
    EXPECT_EQ(counted, count);
  });
}

TEST(evaluate, of_nothing_is_zero) {
  const weft::evaluation result =
      weft::evaluate(weft::cpu_context{}, identity(3), tensor<float, 2>({0, 3}), {});
  EXPECT_EQ(result.accuracy, 0.0);
  EXPECT_EQ(result.loss, 0.0);
  EXPECT_EQ(result.confusion.size(), 9);
}

TEST(evaluate, prints_what_does_not_fit) {
  const weft::cpu_context context;
  EXPECT_EQ(message_of<weft::shape_error>([&] {
              weft::predict(context, identity(3), tensor<float, 2>({2, 4}));
            }),
            "predict: samples has shape [2, 4] but what the network takes has shape [2, 3]");
  const tensor<std::int32_t, 1> labels({2}, std::vector<std::int32_t>{0, 5});
  EXPECT_THROW(weft::evaluate(context, identity(3), tensor<float, 2>({2, 3}), labels),
               weft::invalid_argument);
  EXPECT_THROW(weft::evaluate(context, identity(3), tensor<float, 2>({3, 3}), labels), weft::shape_error);
}

}  // namespace evaluation_test
