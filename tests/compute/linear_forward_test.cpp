#include <weft/compute/kernels/linear_forward.hpp>

#include "every_context.hpp"
#include "random_tensor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace linear_forward_test {

using weft::activation;
using weft::linear_forward;
using weft::tensor;
using weft::tensor_view;

struct sizes {
  std::int64_t batch, inputs, outputs;
};

constexpr sizes shapes[] = {{0, 3, 4},     {3, 0, 4},    {3, 4, 0},     {1, 1, 1},    {1, 7, 1},
                            {2, 3, 5},     {13, 17, 15}, {14, 5, 16},   {15, 5, 17},  {29, 9, 31},
                            {28, 64, 32},  {33, 40, 33}, {7, 3, 10},    {128, 10, 9}, {5, 2000, 40},
                            {64, 33, 100}, {6, 5, 1060}, {200, 300, 64}};

// Rounding errors of a sum of n products are below n * epsilon times the sum of their magnitudes.
void expect_close(float actual, double expected, double magnitude, std::int64_t terms) {
  const double bound =
      (static_cast<double>(terms) + 4.0) * std::numeric_limits<float>::epsilon() * magnitude + 1e-30;
  ASSERT_NEAR(static_cast<double>(actual), expected, bound);
}

TEST(linear_forward, agrees_with_double_precision) {
  on_every_context([](const weft::cpu_context& context) {
    for (const auto& [batch, inputs, outputs] : shapes) {
      SCOPED_TRACE(weft::to_string(weft::shape<3>{batch, inputs, outputs}));
      const auto input = random_tensor<2>({batch, inputs}, 1);
      const auto weight = random_tensor<2>({inputs, outputs}, 2);
      const auto bias = random_tensor<1>({outputs}, 3);
      for (const activation after : {activation::none, activation::relu}) {
        tensor<float, 2> output({batch, outputs});
        linear_forward{.after = after}(context, input, weight, bias, output);
        for (std::int64_t row = 0; row < batch; ++row) {
          for (std::int64_t column = 0; column < outputs; ++column) {
            double sum = static_cast<double>(bias(column));
            double magnitude = std::abs(sum);
            for (std::int64_t k = 0; k < inputs; ++k) {
              const double product =
                  static_cast<double>(input(row, k)) * static_cast<double>(weight(k, column));
              sum += product;
              magnitude += std::abs(product);
            }
            if (after == activation::relu) sum = std::max(sum, 0.0);
            expect_close(output(row, column), sum, magnitude, inputs);
          }
        }
      }
    }
  });
}

TEST(linear_forward, writes_nothing_outside_its_output_and_takes_unaligned_views) {
  on_every_context([](const weft::cpu_context& context) {
    for (const std::int64_t outputs : {1, 10, 15, 17, 31, 33}) {
      const auto numbers = random_tensor<1>({1 + 5 * 3 + 3 * outputs + outputs}, 4);
      const tensor_view<const float, 2> input(numbers.data() + 1, {5, 3});
      const tensor_view<const float, 2> weight(numbers.data() + 16, {3, outputs});
      const tensor_view<const float, 1> bias(numbers.data() + 16 + 3 * outputs, {outputs});
      std::vector<float> memory(static_cast<std::size_t>(5 * outputs + 65), -7.0F);
      linear_forward{}(context, input, weight, bias, tensor_view<float, 2>(memory.data() + 1, {5, outputs}));
      EXPECT_EQ(memory.front(), -7.0F);
      EXPECT_TRUE(
          std::all_of(memory.begin() + 1 + 5 * outputs, memory.end(), [](float x) { return x == -7.0F; }));
      tensor<float, 2> aligned({5, outputs});
      linear_forward{}(context, tensor<float, 2>(input), tensor<float, 2>(weight), tensor<float, 1>(bias),
                       aligned);
      EXPECT_TRUE(std::equal(aligned.elements().begin(), aligned.elements().end(), memory.begin() + 1));
    }
  });
}

TEST(linear_forward, gives_the_same_bits_for_any_threads) {
  expect_same_bits_for_any_threads([](const weft::cpu_context& context) {
    tensor<float, 2> output({128, 256});
    linear_forward{.after = activation::relu}(context, random_tensor<2>({128, 784}, 1),
                                              random_tensor<2>({784, 256}, 2), random_tensor<1>({256}, 3),
                                              output);
    return std::vector<float>(output.elements().begin(), output.elements().end());
  });
}

TEST(linear_forward, keeps_what_is_not_a_number) {
  on_every_context([](const weft::cpu_context& context) {
    const tensor<float, 2> input({1, 1}, std::vector<float>{std::numeric_limits<float>::quiet_NaN()});
    const tensor<float, 2> weight({1, 1}, std::vector<float>{1.0F});
    tensor<float, 2> output({1, 1});
    linear_forward{.after = activation::relu}(context, input, weight, tensor<float, 1>({1}), output);
    EXPECT_TRUE(std::isnan(output(0, 0)));
  });
}

TEST(linear_forward, prints_shapes_that_do_not_fit) {
  const weft::cpu_context context;
  const tensor<float, 2> input({2, 3});
  const tensor<float, 2> weight({4, 5});
  const tensor<float, 1> bias({5});
  tensor<float, 2> output({2, 5});
  EXPECT_EQ(message_of<weft::shape_error>([&] { linear_forward{}(context, input, weight, bias, output); }),
            "linear_forward: input has shape [2, 3] but weight has shape [4, 5]: input's columns must be "
            "weight's rows");
  const tensor<float, 2> fitting({3, 5});
  EXPECT_EQ(message_of<weft::shape_error>(
                [&] { linear_forward{}(context, input, fitting, tensor<float, 1>({4}), output); }),
            "linear_forward: bias has shape [4] but one row of the output has shape [5]");
  tensor<float, 2> wrong({5, 2});
  EXPECT_EQ(message_of<weft::shape_error>([&] { linear_forward{}(context, input, fitting, bias, wrong); }),
            "linear_forward: output has shape [5, 2] but input * weight has shape [2, 5]");
}

}  // namespace linear_forward_test
