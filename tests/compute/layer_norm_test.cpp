#include <weft/compute/kernels/layer_norm.hpp>

#include "every_context.hpp"
#include "random_tensor.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace layer_norm_test {

using weft::tensor;

struct normalized {
  normalized(const weft::cpu_context& context, const tensor<float, 2>& input, const tensor<float, 1>& scale,
             const tensor<float, 1>& shift)
      : output(input.extents()), mean({input.extent(0)}), inverse({input.extent(0)}) {
    weft::layer_norm{.epsilon = 1e-3}(context, input, scale, shift, output, mean, inverse);
  }
  tensor<float, 2> output;
  tensor<float, 1> mean, inverse;
};

TEST(layer_norm, agrees_with_double_precision) {
  on_every_context([](const weft::cpu_context& context) {
    for (const std::int64_t columns : {0, 1, 5, 16, 33, 768}) {
      auto input = random_tensor<2>({23, columns}, 1, 3.0);
      for (float& element : input.elements()) element += 10.0F;
      const auto scale = random_tensor<1>({columns}, 2);
      const auto shift = random_tensor<1>({columns}, 3);
      const normalized actual(context, input, scale, shift);
      for (std::int64_t row = 0; row < 23; ++row) {
        double mean = 0.0;
        for (std::int64_t i = 0; i < columns; ++i)
          mean += static_cast<double>(input(row, i)) / static_cast<double>(columns);
        double variance = 0.0;
        for (std::int64_t i = 0; i < columns; ++i) {
          variance += std::pow(static_cast<double>(input(row, i)) - mean, 2) / static_cast<double>(columns);
        }
        for (std::int64_t i = 0; i < columns; ++i) {
          const double expected = (static_cast<double>(input(row, i)) - mean) / std::sqrt(variance + 1e-3) *
                                      static_cast<double>(scale(i)) +
                                  static_cast<double>(shift(i));
          ASSERT_NEAR(static_cast<double>(actual.output(row, i)), expected, 1e-4);
        }
      }
    }
  });
}

TEST(layer_norm_backward, agrees_with_finite_differences) {
  on_every_context([](const weft::cpu_context& context) {
    auto input = random_tensor<2>({3, 19}, 1);
    auto scale = random_tensor<1>({19}, 2);
    auto shift = random_tensor<1>({19}, 3);
    const auto weights = random_tensor<2>({3, 19}, 4);
    const auto loss = [&] {
      const normalized now(context, input, scale, shift);
      double sum = 0.0;
      for (std::int64_t i = 0; i < 57; ++i) {
        sum += static_cast<double>(now.output.data()[i]) * static_cast<double>(weights.data()[i]);
      }
      return sum;
    };
    const normalized forward(context, input, scale, shift);
    tensor<float, 2> input_gradient({3, 19});
    tensor<float, 1> scale_gradient({19});
    tensor<float, 1> shift_gradient({19});
    weft::layer_norm_backward{}(context, input, scale, forward.mean, forward.inverse, weights, input_gradient,
                                scale_gradient, shift_gradient);
    const auto check = [&](std::span<float> values, std::span<const float> gradient) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        const float before = values[i];
        constexpr float step = 0x1p-7F;
        values[i] = before + step;
        const double above = loss();
        values[i] = before - step;
        const double below = loss();
        values[i] = before;
        ASSERT_NEAR(static_cast<double>(gradient[i]), (above - below) / (2.0 * static_cast<double>(step)),
                    3e-3);
      }
    };
    check(input.elements(), input_gradient.elements());
    check(scale.elements(), scale_gradient.elements());
    check(shift.elements(), shift_gradient.elements());
  });
}

TEST(layer_norm_backward, sums_rows_into_the_gradients_of_scale_and_shift) {
  on_every_context([](const weft::cpu_context& context) {
    for (const std::int64_t rows : {0, 1, 4, 23}) {
      for (const std::int64_t columns : {5, 16, 531}) {
        const auto input = random_tensor<2>({rows, columns}, 1);
        const auto gradient = random_tensor<2>({rows, columns}, 2);
        const auto scale = random_tensor<1>({columns}, 3);
        const normalized forward(context, input, scale, scale);
        tensor<float, 2> input_gradient({rows, columns});
        auto scale_gradient = random_tensor<1>({columns}, 4);
        auto shift_gradient = random_tensor<1>({columns}, 5);
        weft::layer_norm_backward{}(context, input, scale, forward.mean, forward.inverse, gradient,
                                    input_gradient, scale_gradient, shift_gradient);
        for (std::int64_t column = 0; column < columns; ++column) {
          double by_scale = 0.0;
          double by_shift = 0.0;
          for (std::int64_t row = 0; row < rows; ++row) {
            const auto slope = static_cast<double>(gradient(row, column));
            by_scale += slope *
                        (static_cast<double>(input(row, column)) - static_cast<double>(forward.mean(row))) *
                        static_cast<double>(forward.inverse(row));
            by_shift += slope;
          }
          ASSERT_NEAR(static_cast<double>(scale_gradient(column)), by_scale, 2e-5) << rows << ' ' << column;
          ASSERT_NEAR(static_cast<double>(shift_gradient(column)), by_shift, 1e-5) << rows << ' ' << column;
        }
      }
    }
  });
}

TEST(layer_norm, gives_the_same_bits_for_any_threads) {
  expect_same_bits_for_any_threads([](const weft::cpu_context& context) {
    const auto input = random_tensor<2>({200, 150}, 1);
    const auto scale = random_tensor<1>({150}, 2);
    const normalized forward(context, input, scale, scale);
    tensor<float, 2> gradient({200, 150});
    tensor<float, 1> scale_gradient({150});
    tensor<float, 1> shift_gradient({150});
    weft::layer_norm_backward{}(context, input, scale, forward.mean, forward.inverse, forward.output,
                                gradient, scale_gradient, shift_gradient);
    std::vector<float> all(gradient.elements().begin(), gradient.elements().end());
    all.insert(all.end(), scale_gradient.elements().begin(), scale_gradient.elements().end());
    return all;
  });
}

TEST(layer_norm, names_what_cannot_be) {
  const weft::cpu_context context;
  tensor<float, 2> input({2, 3});
  tensor<float, 1> three({3});
  tensor<float, 1> two({2});
  EXPECT_EQ(
      message_of<weft::shape_error>([&] { weft::layer_norm{}(context, input, two, three, input, two, two); }),
      "layer_norm: scale has shape [2] but one row of the input has shape [3]");
  EXPECT_THROW(weft::layer_norm{.epsilon = -1.0}(context, input, three, three, input, two, two),
               weft::invalid_argument);
}

}  // namespace layer_norm_test
