#include <weft/compute/kernels/linear_backward.hpp>

#include "every_context.hpp"
#include "random_tensor.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace linear_backward_test {

using weft::linear_backward_input;
using weft::linear_backward_parameters;
using weft::tensor;

struct sizes {
  std::int64_t batch, inputs, outputs;
};

constexpr sizes shapes[] = {{0, 3, 4},    {3, 0, 4},     {3, 4, 0},    {1, 1, 1},    {2, 3, 5},
                            {13, 17, 15}, {14, 15, 16},  {15, 5, 17},  {29, 9, 31},  {28, 64, 32},
                            {33, 40, 33}, {7, 30, 10},   {128, 10, 9}, {5, 900, 40}, {64, 33, 100},
                            {6, 5, 1060}, {200, 300, 64}};

void expect_close(float actual, double expected, double magnitude, std::int64_t terms) {
  const double bound =
      (static_cast<double>(terms) + 4.0) * std::numeric_limits<float>::epsilon() * magnitude + 1e-30;
  ASSERT_NEAR(static_cast<double>(actual), expected, bound);
}

TEST(linear_backward_parameters, agrees_with_double_precision) {
  on_every_context([](const weft::cpu_context& context) {
    for (const auto& [batch, inputs, outputs] : shapes) {
      SCOPED_TRACE(weft::to_string(weft::shape<3>{batch, inputs, outputs}));
      const auto input = random_tensor<2>({batch, inputs}, 1);
      const auto slope = random_tensor<2>({batch, outputs}, 2);
      auto weight_gradient = random_tensor<2>({inputs, outputs}, 3);
      auto bias_gradient = random_tensor<1>({outputs}, 4);
      linear_backward_parameters{}(context, input, slope, weight_gradient, bias_gradient);
      for (std::int64_t column = 0; column < outputs; ++column) {
        for (std::int64_t row = 0; row < inputs; ++row) {
          double sum = 0.0;
          double magnitude = 0.0;
          for (std::int64_t k = 0; k < batch; ++k) {
            const double product = static_cast<double>(input(k, row)) * static_cast<double>(slope(k, column));
            sum += product;
            magnitude += std::abs(product);
          }
          expect_close(weight_gradient(row, column), sum, magnitude, batch);
        }
        double sum = 0.0;
        double magnitude = 0.0;
        for (std::int64_t k = 0; k < batch; ++k) {
          sum += static_cast<double>(slope(k, column));
          magnitude += std::abs(static_cast<double>(slope(k, column)));
        }
        expect_close(bias_gradient(column), sum, magnitude, batch);
      }
    }
  });
}

TEST(linear_backward_input, agrees_with_double_precision) {
  on_every_context([](const weft::cpu_context& context) {
    for (const auto& [batch, inputs, outputs] : shapes) {
      SCOPED_TRACE(weft::to_string(weft::shape<3>{batch, inputs, outputs}));
      const auto slope = random_tensor<2>({batch, outputs}, 1);
      const auto weight = random_tensor<2>({inputs, outputs}, 2);
      auto active = random_tensor<2>({batch, inputs}, 3);
      if (!active.empty()) active(0, 0) = 0.0F;
      tensor<float, 2> plain({batch, inputs});
      tensor<float, 2> masked({batch, inputs});
      linear_backward_input{}(context, slope, weight, plain);
      linear_backward_input{}(context, slope, weight, active, masked);
      for (std::int64_t row = 0; row < batch; ++row) {
        for (std::int64_t column = 0; column < inputs; ++column) {
          double sum = 0.0;
          double magnitude = 0.0;
          for (std::int64_t k = 0; k < outputs; ++k) {
            const double product =
                static_cast<double>(slope(row, k)) * static_cast<double>(weight(column, k));
            sum += product;
            magnitude += std::abs(product);
          }
          expect_close(plain(row, column), sum, magnitude, outputs);
          ASSERT_EQ(masked(row, column), active(row, column) > 0.0F ? plain(row, column) : 0.0F);
        }
      }
    }
  });
}

TEST(linear_backward, gives_the_same_bits_for_any_threads) {
  expect_same_bits_for_any_threads([](const weft::cpu_context& context) {
    const auto input = random_tensor<2>({128, 784}, 1);
    const auto weight = random_tensor<2>({784, 256}, 2);
    const auto slope = random_tensor<2>({128, 256}, 3);
    tensor<float, 2> weight_gradient({784, 256});
    tensor<float, 1> bias_gradient({256});
    tensor<float, 2> input_gradient({128, 784});
    linear_backward_parameters{}(context, input, slope, weight_gradient, bias_gradient);
    linear_backward_input{}(context, slope, weight, input_gradient);
    std::vector<float> all(weight_gradient.elements().begin(), weight_gradient.elements().end());
    all.insert(all.end(), bias_gradient.elements().begin(), bias_gradient.elements().end());
    all.insert(all.end(), input_gradient.elements().begin(), input_gradient.elements().end());
    return all;
  });
}

TEST(linear_backward, prints_shapes_that_do_not_fit) {
  const weft::cpu_context context;
  const tensor<float, 2> input({2, 3});
  const tensor<float, 2> slope({4, 5});
  tensor<float, 2> weight({3, 5});
  tensor<float, 1> bias({5});
  EXPECT_EQ(message_of<weft::shape_error>(
                [&] { linear_backward_parameters{}(context, input, slope, weight, bias); }),
            "linear_backward_parameters: input has shape [2, 3] but output_gradient has shape [4, 5]: their "
            "batches "
            "(rows) differ");
  EXPECT_THROW(linear_backward_parameters{}(context, tensor<float, 2>({4, 2}), slope, weight, bias),
               weft::shape_error);
  tensor<float, 1> short_bias({4});
  EXPECT_THROW(linear_backward_parameters{}(context, tensor<float, 2>({4, 3}), slope, weight, short_bias),
               weft::shape_error);
  tensor<float, 2> result({4, 3});
  EXPECT_EQ(message_of<weft::shape_error>([&] {
              linear_backward_input{}(context, slope, tensor<float, 2>({3, 6}), result);
            }),
            "linear_backward_input: output_gradient has shape [4, 5] but weight has shape [3, 6]: their "
            "columns differ");
  EXPECT_THROW(linear_backward_input{}(context, slope, weight, tensor<float, 2>({4, 4}), result),
               weft::shape_error);
  tensor<float, 2> wrong({3, 4});
  EXPECT_THROW(linear_backward_input{}(context, slope, weight, wrong), weft::shape_error);
}

}  // namespace linear_backward_test
