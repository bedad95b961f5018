#include <weft/compute/kernels/softmax_cross_entropy.hpp>

#include "every_context.hpp"
#include "random_tensor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace softmax_cross_entropy_test {

using weft::softmax_cross_entropy;
using weft::tensor;

TEST(softmax_cross_entropy, agrees_with_double_precision) {
  on_every_context([](const weft::cpu_context& context) {
    for (const double scale : {0.1, 3.0, 60.0}) {
      for (const auto& [batch, classes] :
           {std::pair{1, 1}, {1, 2}, {5, 3}, {128, 10}, {17, 16}, {9, 33}, {900, 40}}) {
        SCOPED_TRACE(weft::to_string(weft::shape<2>{batch, classes}) + ", scale " + std::to_string(scale));
        const auto logits = random_tensor<2>({batch, classes}, 1, scale);
        const auto labels = random_labels(batch, classes, 2);
        tensor<float, 1> losses({batch});
        tensor<float, 2> gradient({batch, classes});
        const double mean = softmax_cross_entropy{}(context, logits, labels, losses, gradient);
        double expected_mean = 0.0;
        for (std::int64_t row = 0; row < batch; ++row) {
          double sum = 0.0;
          const auto scores = logits[row];
          const double largest = static_cast<double>(*std::max_element(scores.begin(), scores.end()));
          for (const float score : scores) sum += std::exp(static_cast<double>(score) - largest);
          const double loss = std::log(sum) + largest - static_cast<double>(scores(labels(row)));
          ASSERT_NEAR(static_cast<double>(losses(row)), loss, 4e-7 * (1.0 + std::abs(largest) + loss));
          expected_mean += loss / batch;
          for (std::int64_t column = 0; column < classes; ++column) {
            const double share = std::exp(static_cast<double>(scores(column)) - largest) / sum;
            const double slope = (share - (column == labels(row) ? 1.0 : 0.0)) / batch;
            ASSERT_NEAR(static_cast<double>(gradient(row, column)), slope, 6e-7 / batch);
          }
        }
        EXPECT_NEAR(mean, expected_mean, 1e-6 * (1.0 + scale));
        tensor<float, 1> again({batch});
        EXPECT_EQ(softmax_cross_entropy{}(context, logits, labels, again), mean);
      }
    }
  });
}

TEST(softmax_cross_entropy, does_not_overflow) {
  on_every_context([](const weft::cpu_context& context) {
    const tensor<float, 2> logits({2, 3}, std::vector<float>{3e38F, 0.0F, -3e38F, -3e38F, -3e38F, -3e38F});
    const tensor<std::int32_t, 1> labels({2}, std::vector<std::int32_t>{0, 1});
    tensor<float, 1> losses({2});
    tensor<float, 2> gradient({2, 3});
    softmax_cross_entropy{}(context, logits, labels, losses, gradient);
    EXPECT_EQ(losses(0), 0.0F);
    EXPECT_NEAR(losses(1), std::log(3.0), 1e-6);
    EXPECT_NEAR(gradient(1, 0), 0.5 / 3.0, 1e-7);
  });
}

TEST(softmax_cross_entropy, shows_a_network_that_has_diverged) {
  on_every_context([](const weft::cpu_context& context) {
    for (std::int64_t place = 0; place < 20; ++place) {
      auto logits = random_tensor<2>({1, 20}, 1);
      logits(0, place) = std::numeric_limits<float>::quiet_NaN();
      tensor<float, 1> losses({1});
      EXPECT_TRUE(std::isnan(softmax_cross_entropy{}(context, logits, random_labels(1, 20, 3), losses)));
    }
  });
}

TEST(softmax_cross_entropy, of_nothing_is_zero) {
  tensor<float, 1> losses({0});
  EXPECT_EQ(softmax_cross_entropy{}(weft::cpu_context{}, tensor<float, 2>({0, 10}),
                                    tensor<std::int32_t, 1>({0}), losses),
            0.0);
}

TEST(softmax_cross_entropy, gives_the_same_bits_for_any_threads) {
  expect_same_bits_for_any_threads([](const weft::cpu_context& context) {
    tensor<float, 1> losses({3000});
    tensor<float, 2> gradient({3000, 10});
    const double mean = softmax_cross_entropy{}(context, random_tensor<2>({3000, 10}, 1),
                                                random_labels(3000, 10, 2), losses, gradient);
    std::vector<double> all(gradient.elements().begin(), gradient.elements().end());
    all.push_back(mean);
    return all;
  });
}

TEST(softmax_cross_entropy, names_a_label_that_is_out_of_range) {
  const weft::cpu_context context;
  const tensor<float, 2> logits({2, 3});
  tensor<float, 1> losses({2});
  for (const std::int32_t label : {3, -1}) {
    const tensor<std::int32_t, 1> labels({2}, std::vector<std::int32_t>{0, label});
    EXPECT_EQ(
        message_of<weft::invalid_argument>([&] { softmax_cross_entropy{}(context, logits, labels, losses); }),
        "softmax_cross_entropy: label " + std::to_string(label) + " of row 1 is outside [0, 3)");
  }
  const tensor<std::int32_t, 1> three({3});
  EXPECT_EQ(message_of<weft::shape_error>([&] { softmax_cross_entropy{}(context, logits, three, losses); }),
            "softmax_cross_entropy: labels has shape [3] but one column of the logits has shape [2]");
}

}  // namespace softmax_cross_entropy_test
