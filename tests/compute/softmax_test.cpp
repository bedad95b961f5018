#include <weft/compute/kernels/softmax.hpp>

#include "every_context.hpp"
#include "random_tensor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace softmax_test {

using weft::softmax;
using weft::tensor;

TEST(softmax, agrees_with_double_precision) {
  on_every_context([](const weft::cpu_context& context) {
    for (const std::int64_t columns : {0, 1, 3, 10, 16, 17, 1000}) {
      auto input = random_tensor<2>({19, columns}, 1, 5.0);
      if (columns > 1) input(3, 1) = 500.0F;  // neither overflows nor drowns the others
      tensor<float, 2> output({19, columns});
      tensor<float, 2> logarithms({19, columns});
      softmax{}(context, input, output);
      softmax{.logarithm = true}(context, input, logarithms);
      for (std::int64_t row = 0; row < 19; ++row) {
        double largest = -1e300;
        for (std::int64_t i = 0; i < columns; ++i)
          largest = std::max(largest, static_cast<double>(input(row, i)));
        double sum = 0.0;
        for (std::int64_t i = 0; i < columns; ++i)
          sum += std::exp(static_cast<double>(input(row, i)) - largest);
        for (std::int64_t i = 0; i < columns; ++i) {
          const double expected = std::exp(static_cast<double>(input(row, i)) - largest) / sum;
          // The difference of two logits rounds, and its error is one of the exponent.
          const double distance = largest - static_cast<double>(input(row, i));
          ASSERT_NEAR(static_cast<double>(output(row, i)), expected,
                      1e-7 * (10.0 + distance) * expected + 1e-37);
          ASSERT_NEAR(static_cast<double>(logarithms(row, i)),
                      static_cast<double>(input(row, i)) - largest - std::log(sum),
                      1e-6 * (30.0 + std::abs(largest)));
        }
      }
    }
  });
}

TEST(softmax_backward, agrees_with_finite_differences) {
  on_every_context([](const weft::cpu_context& context) {
    const std::int64_t columns = 21;
    auto input = random_tensor<2>({2, columns}, 1);
    const auto weights = random_tensor<2>({2, columns}, 2);
    tensor<float, 2> output({2, columns});
    const auto loss = [&] {
      softmax{}(context, input, output);
      double sum = 0.0;
      for (std::int64_t i = 0; i < output.size(); ++i) {
        sum += static_cast<double>(output.data()[i]) * static_cast<double>(weights.data()[i]);
      }
      return sum;
    };
    loss();
    tensor<float, 2> gradient({2, columns});
    weft::softmax_backward{}(context, output, weights, gradient);
    for (std::int64_t i = 0; i < input.size(); ++i) {
      const float before = input.data()[i];
      constexpr float step = 0x1p-7F;
      input.data()[i] = before + step;
      const double above = loss();
      input.data()[i] = before - step;
      const double below = loss();
      input.data()[i] = before;
      ASSERT_NEAR(static_cast<double>(gradient.data()[i]),
                  (above - below) / (2.0 * static_cast<double>(step)), 2e-4);
    }
  });
}

TEST(softmax, gives_the_same_bits_for_any_threads) {
  expect_same_bits_for_any_threads([](const weft::cpu_context& context) {
    tensor<float, 2> output({333, 77});
    softmax{}(context, random_tensor<2>({333, 77}, 3), output);
    return std::vector<float>(output.elements().begin(), output.elements().end());
  });
}

TEST(softmax, prints_shapes_that_do_not_fit) {
  const weft::cpu_context context;
  tensor<float, 2> wide({2, 3});
  tensor<float, 2> tall({3, 2});
  EXPECT_EQ(message_of<weft::shape_error>([&] { softmax{}(context, wide, tall); }),
            "softmax: input has shape [2, 3] but output has shape [3, 2]");
  EXPECT_THROW(weft::softmax_backward{}(context, wide, tall, wide), weft::shape_error);
}

}  // namespace softmax_test
