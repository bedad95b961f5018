#include <weft/compute/kernels/pool2d.hpp>

#include "every_context.hpp"
#include "random_tensor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace pool2d_test {

using weft::pool2d_options;
using weft::tensor;

constexpr pool2d_options windows[] = {{},
                                      {.size = 3, .stride = 1, .padding = 1},
                                      {.size = 3, .stride = 2},
                                      {.size = 5, .stride = 3, .padding = 2}};

TEST(pool2d, agrees_with_a_plain_loop) {
  on_every_context([](const weft::cpu_context& context) {
    for (const pool2d_options& options : windows) {
      const auto input = random_tensor<4>({3, 2, 11, 9}, 1);
      const weft::shape<4> pooled = weft::pooled_shape(options, input.extents());
      tensor<float, 4> largest(pooled);
      tensor<float, 4> mean(pooled);
      tensor<std::int32_t, 4> where(pooled);
      weft::max_pool2d{options}(context, input, largest, where);
      weft::average_pool2d{options}(context, input, mean);
      for (std::int64_t n = 0; n < 3; ++n) {
        for (std::int64_t c = 0; c < 2; ++c) {
          for (std::int64_t y = 0; y < pooled[2]; ++y) {
            for (std::int64_t x = 0; x < pooled[3]; ++x) {
              double sum = 0.0;
              float best = -1e30F;
              for (std::int64_t i = 0; i < options.size * options.size; ++i) {
                const std::int64_t row = y * options.stride - options.padding + i / options.size;
                const std::int64_t column = x * options.stride - options.padding + i % options.size;
                if (row < 0 || column < 0 || row >= 11 || column >= 9) continue;
                sum += static_cast<double>(input(n, c, row, column));
                best = std::max(best, input(n, c, row, column));
              }
              ASSERT_EQ(largest(n, c, y, x), best);
              ASSERT_EQ(input[n][c].reshape<1>({99})(where(n, c, y, x)), best);
              ASSERT_NEAR(static_cast<double>(mean(n, c, y, x)),
                          sum / static_cast<double>(options.size * options.size), 1e-6);
            }
          }
        }
      }
    }
  });
}

TEST(pool2d, takes_the_largest_of_wide_rows_and_what_is_no_number) {
  on_every_context([](const weft::cpu_context& context) {
    auto input = random_tensor<4>({2, 3, 5, 77}, 1);
    input(1, 2, 3, 50) = std::nanf("");
    tensor<float, 4> largest({2, 3, 2, 38});
    tensor<std::int32_t, 4> where(largest.extents());
    weft::max_pool2d{}(context, input, largest, where);
    for (std::int64_t i = 0; i < largest.size(); ++i) {
      const std::int64_t plane = i / 76;
      const std::int64_t first = i % 76 / 38 * 154 + i % 38 * 2;
      std::int64_t best = first;
      for (const std::int64_t at : {first + 1, first + 77, first + 78}) {
        const float value = input.data()[plane * 385 + at];
        if (std::isnan(value) || value > input.data()[plane * 385 + best]) best = at;
      }
      ASSERT_EQ(where.data()[i], best) << i;
      const float expected = input.data()[plane * 385 + best];
      ASSERT_TRUE(largest.data()[i] == expected || std::isnan(expected)) << i;
    }
    EXPECT_TRUE(std::isnan(largest(1, 2, 1, 25)));
  });
}

TEST(pool2d, gradients_agree_with_finite_differences) {
  on_every_context([](const weft::cpu_context& context) {
    for (const pool2d_options& options : windows) {
      auto input = random_tensor<4>({2, 1, 7, 6}, 1);
      const weft::shape<4> pooled = weft::pooled_shape(options, input.extents());
      const auto weights = random_tensor<4>(pooled, 2);
      tensor<float, 4> output(pooled);
      tensor<std::int32_t, 4> where(pooled);
      tensor<float, 4> gradient(input.extents());
      const auto check = [&](const auto& forward) {
        const auto loss = [&] {
          forward();
          double sum = 0.0;
          for (std::int64_t i = 0; i < output.size(); ++i) {
            sum += static_cast<double>(output.data()[i]) * static_cast<double>(weights.data()[i]);
          }
          return sum;
        };
        for (std::int64_t i = 0; i < input.size(); ++i) {
          const float before = input.data()[i];
          constexpr float step = 0x1p-12F;
          input.data()[i] = before + step;
          const double above = loss();
          input.data()[i] = before - step;
          const double below = loss();
          input.data()[i] = before;
          ASSERT_NEAR(static_cast<double>(gradient.data()[i]),
                      (above - below) / (2.0 * static_cast<double>(step)), 4e-3);
        }
      };
      weft::max_pool2d{options}(context, input, output, where);
      weft::max_pool2d_backward{}(context, weights, where, gradient);
      check([&] { weft::max_pool2d{options}(context, input, output, where); });
      weft::average_pool2d_backward{options}(context, weights, gradient);
      check([&] { weft::average_pool2d{options}(context, input, output); });
    }
  });
}

TEST(pool2d, names_what_cannot_be) {
  const weft::cpu_context context;
  EXPECT_EQ(message_of<weft::invalid_argument>([] {
              weft::pooled_shape({.size = 0}, {1, 1, 4, 4});
            }),
            "pool2d: size is 0: it must be above 0");
  EXPECT_THROW(weft::pooled_shape({.stride = 0}, {1, 1, 4, 4}), weft::invalid_argument);
  EXPECT_THROW(weft::pooled_shape({.padding = 2}, {1, 1, 4, 4}), weft::invalid_argument);
  EXPECT_EQ(message_of<weft::invalid_argument>([] {
              weft::pooled_shape({.size = 5}, {1, 1, 4, 6});
            }),
            "pool2d: a window of 5 is larger than the padded input of shape [1, 1, 4, 6]");
  const tensor<float, 4> input({1, 1, 4, 4});
  tensor<float, 4> output({1, 1, 2, 2});
  tensor<float, 4> gradient({1, 1, 4, 4});
  tensor<std::int32_t, 4> where({1, 1, 2, 2});
  where(0, 0, 1, 1) = 16;
  EXPECT_THROW(weft::max_pool2d_backward{}(context, output, where, gradient), weft::invalid_argument);
  EXPECT_THROW(weft::average_pool2d{}(context, input, gradient), weft::shape_error);
}

}  // namespace pool2d_test
