#include <weft/compute/kernels/conv2d.hpp>

#include "every_context.hpp"
#include "random_tensor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

namespace conv2d_test {

using weft::conv2d_options;
using weft::tensor;

struct conv_case {
  weft::shape<4> input, weight;
  conv2d_options options;
};
constexpr conv_case cases[] = {{{2, 3, 9, 8}, {5, 3, 3, 3}, {}},
                               {{1, 1, 5, 5}, {1, 1, 5, 5}, {}},
                               {{3, 2, 8, 11}, {17, 2, 3, 2}, {.stride = 2, .padding = 1}},
                               {{2, 4, 6, 6}, {3, 4, 1, 1}, {.stride = 3}},
                               {{0, 3, 4, 4}, {2, 3, 3, 3}, {}},
                               {{2, 1, 28, 28}, {8, 1, 5, 5}, {.padding = 2}},
                               {{2, 2, 4, 30}, {3, 2, 2, 25}, {.padding = 1}},
                               {{1, 2, 3, 4}, {2, 2, 2, 3}, {.padding = 4}},
                               {{2, 0, 4, 4}, {3, 0, 3, 3}, {.padding = 1}},
                               {{2, 0, 4, 4}, {3, 0, 3, 3}, {.stride = 2, .padding = 1}},
                               {{19, 2, 9, 9}, {3, 2, 3, 3}, {.stride = 2, .padding = 1}},
                               // Few images, whose rows, channels or outputs are shared among threads.
                               {{2, 9, 41, 39}, {33, 9, 3, 3}, {.padding = 1}},
                               {{2, 40, 9, 9}, {130, 40, 3, 3}, {.padding = 1}},
                               {{2, 9, 81, 79}, {33, 9, 3, 3}, {.stride = 2, .padding = 1}},
                               // Enough of everything for squares of outputs: cut squares at the edges,
                               // several registers of them across, borders of 0, 1 and 2; outputs shared
                               // among threads; more squares than the weight's gradient takes at once.
                               {{4, 20, 19, 21}, {37, 20, 3, 3}, {.padding = 1}},
                               {{2, 24, 18, 72}, {30, 24, 3, 3}, {}},
                               {{2, 24, 33, 27}, {19, 24, 3, 3}, {.padding = 2}},
                               {{2, 64, 14, 14}, {130, 64, 3, 3}, {.padding = 1}},
                               {{3, 16, 60, 50}, {18, 16, 3, 3}, {.padding = 1}}};

// Calls each(place in the output, in the input, in the weight) for every product of a convolution.
template <class Each>
void for_each_product(const conv_case& current, const weft::shape<4>& extents, const Each& each) {
  const auto [images, outputs, height, width] = extents;
  const auto [all_outputs, channels, down, along] = current.weight;
  for (std::int64_t n = 0; n < images; ++n) {
    for (std::int64_t o = 0; o < outputs; ++o) {
      for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0; x < width; ++x) {
          for (std::int64_t c = 0; c < channels; ++c) {
            for (std::int64_t i = 0; i < down; ++i) {
              for (std::int64_t j = 0; j < along; ++j) {
                const std::int64_t row = y * current.options.stride - current.options.padding + i;
                const std::int64_t column = x * current.options.stride - current.options.padding + j;
                if (row < 0 || column < 0 || row >= current.input[2] || column >= current.input[3]) continue;
                each(((n * outputs + o) * height + y) * width + x,
                     ((n * channels + c) * current.input[2] + row) * current.input[3] + column,
                     ((o * channels + c) * down + i) * along + j);
              }
            }
          }
        }
      }
    }
  }
}

void expect_near(std::span<const float> values, std::span<const double> expected, double tolerance) {
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(values[i]), expected[i], tolerance) << "at " << i;
  }
}

// Rounding errors grow with the root of the number of products that are summed.
double tolerance(std::int64_t products) {
  return 1e-5 * std::sqrt(static_cast<double>(products));
}

TEST(conv2d, agrees_with_a_plain_loop) {
  for (const conv_case& current : cases) {
    SCOPED_TRACE(weft::to_string(current.input) + " by " + weft::to_string(current.weight));
    const auto input = random_tensor<4>(current.input, 1);
    const auto weight = random_tensor<4>(current.weight, 2);
    const auto bias = random_tensor<1>({current.weight[0]}, 3);
    const weft::shape<4> extents = weft::convolved_shape(current.options, current.input, current.weight);
    tensor<float, 4> output(extents);
    std::vector<double> expected(static_cast<std::size_t>(output.size()));
    const std::int64_t plane = extents[2] * extents[3];
    for (std::int64_t at = 0; at < output.size(); ++at)
      expected[static_cast<std::size_t>(at)] = static_cast<double>(bias(at / plane % extents[1]));
    for_each_product(current, extents, [&](std::int64_t out, std::int64_t in, std::int64_t by) {
      expected[static_cast<std::size_t>(out)] +=
          static_cast<double>(input.data()[in]) * static_cast<double>(weight.data()[by]);
    });
    on_every_context([&](const weft::cpu_context& context) {
      for (float& element : output.elements()) element = -1.0F;
      weft::conv2d{current.options}(context, input, weight, bias, output);
      expect_near(output.elements(), expected, tolerance(1 + weight.size() / current.weight[0]));
    });
  }
}

TEST(conv2d, gradients_agree_with_a_plain_loop) {
  // Besides: outputs in several blocks, of one image and of several; more images than are worked on together,
  // with and without a matrix of patches.
  std::vector<conv_case> all(std::begin(cases), std::end(cases));
  all.push_back({{1, 2, 28, 27}, {77, 2, 3, 3}, {.padding = 1}});
  all.push_back({{5, 1, 14, 30}, {70, 1, 3, 5}, {.padding = 2}});
  all.push_back({{5, 3, 41, 40}, {7, 3, 3, 3}, {.stride = 2, .padding = 1}});
  all.push_back({{30, 3, 6, 7}, {90, 3, 3, 3}, {.padding = 1}});
  all.push_back({{17, 1, 3, 43'700}, {1, 1, 2, 2}, {}});
  for (const conv_case& current : all) {
    SCOPED_TRACE(weft::to_string(current.input) + " by " + weft::to_string(current.weight));
    const auto input = random_tensor<4>(current.input, 1);
    const auto weight = random_tensor<4>(current.weight, 2);
    const weft::shape<4> extents = weft::convolved_shape(current.options, current.input, current.weight);
    const auto gradient = random_tensor<4>(extents, 3);
    std::vector<double> by_input(static_cast<std::size_t>(input.size()));
    std::vector<double> by_weight(static_cast<std::size_t>(weight.size()));
    for_each_product(current, extents, [&](std::int64_t out, std::int64_t in, std::int64_t by) {
      const auto slope = static_cast<double>(gradient.data()[out]);
      by_input[static_cast<std::size_t>(in)] += slope * static_cast<double>(weight.data()[by]);
      by_weight[static_cast<std::size_t>(by)] += slope * static_cast<double>(input.data()[in]);
    });
    const std::int64_t of_an_input = current.weight[0] * current.weight[2] * current.weight[3];
    const std::int64_t of_a_weight = extents[0] * extents[2] * extents[3];
    on_every_context([&](const weft::cpu_context& context) {
      tensor<float, 4> input_gradient(current.input);
      tensor<float, 4> weight_gradient(current.weight);
      tensor<float, 1> bias_gradient({current.weight[0]});
      weft::conv2d_backward{current.options}(context, input, weight, gradient, input_gradient,
                                             weight_gradient, bias_gradient);
      expect_near(input_gradient.elements(), by_input, tolerance(of_an_input));
      expect_near(weight_gradient.elements(), by_weight, tolerance(of_a_weight));
    });
  }
}

TEST(conv2d, gradients_agree_with_finite_differences) {
  const auto check_options = [](const weft::cpu_context& context, const conv2d_options& options,
                                std::int64_t images) {
    auto input = random_tensor<4>({images, 2, 5, 6}, 1);
    auto weight = random_tensor<4>({5, 2, 3, 2}, 2);
    auto bias = random_tensor<1>({5}, 3);
    const weft::shape<4> extents = weft::convolved_shape(options, input.extents(), weight.extents());
    const auto weights = random_tensor<4>(extents, 4);
    tensor<float, 4> output(extents);
    const auto loss = [&] {
      weft::conv2d{options}(context, input, weight, bias, output);
      double sum = 0.0;
      for (std::int64_t i = 0; i < output.size(); ++i) {
        sum += static_cast<double>(output.data()[i]) * static_cast<double>(weights.data()[i]);
      }
      return sum;
    };
    tensor<float, 4> input_gradient(input.extents());
    tensor<float, 4> weight_gradient(weight.extents());
    tensor<float, 1> bias_gradient({5});
    weft::conv2d_backward{options}(context, input, weight, weights, input_gradient, weight_gradient,
                                   bias_gradient);
    tensor<float, 4> again(weight.extents());
    weft::conv2d_backward{options}(context, input, weight, weights, again, bias_gradient);
    ASSERT_TRUE(std::equal(again.view().begin(), again.view().end(), weight_gradient.view().begin()));
    const auto check = [&](std::span<float> values, std::span<const float> gradient) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        const float before = values[i];
        constexpr float step = 0x1p-5F;  // the loss is linear in each of them
        values[i] = before + step;
        const double above = loss();
        values[i] = before - step;
        const double below = loss();
        values[i] = before;
        ASSERT_NEAR(static_cast<double>(gradient[i]), (above - below) / (2.0 * static_cast<double>(step)),
                    2e-3);
      }
    };
    check(input.elements(), input_gradient.elements());
    check(weight.elements(), weight_gradient.elements());
    check(bias.elements(), bias_gradient.elements());
  };
  on_every_context([&](const weft::cpu_context& context) {
    check_options(context, {.stride = 2, .padding = 1}, 2);
    check_options(context, {.padding = 1}, 19);
    check_options(context, {.padding = 3}, 2);
  });
}

TEST(conv2d, gives_the_same_bits_for_any_threads) {
  expect_same_bits_for_any_threads([](const weft::cpu_context& context) {
    std::vector<float> all;
    for (const std::int64_t channels : {3, 33}) {  // one output at a time, and in squares
      const auto input = random_tensor<4>({5, channels, 16, 16}, 1);
      const auto weight = random_tensor<4>({40, channels, 3, 3}, 2);
      tensor<float, 4> output({5, 40, 14, 14});
      weft::conv2d{}(context, input, weight, tensor<float, 1>({40}), output);
      tensor<float, 4> input_gradient(input.extents());
      tensor<float, 4> weight_gradient(weight.extents());
      tensor<float, 1> bias_gradient({40});
      weft::conv2d_backward{}(context, input, weight, output, input_gradient, weight_gradient, bias_gradient);
      for (const auto& result : {output.elements(), weight_gradient.elements(), input_gradient.elements()})
        all.insert(all.end(), result.begin(), result.end());
    }
    return all;
  });
}

// Few squares and many outputs: each of many threads makes some of the outputs of the same squares.
TEST(conv2d, gives_the_same_bits_where_threads_share_squares) {
  const auto input = random_tensor<4>({2, 64, 14, 14}, 1);
  const auto weight = random_tensor<4>({200, 64, 3, 3}, 2);
  const auto bias = random_tensor<1>({200}, 3);
  const auto convolve = [&](const weft::cpu_context& context) {
    tensor<float, 4> output({2, 200, 14, 14});
    weft::conv2d{{.padding = 1}}(context, input, weight, bias, output);
    return output;
  };
  weft::thread_pool pool(16);
  const auto serial = convolve(weft::cpu_context());
  const auto parallel = convolve(weft::cpu_context(pool.arena()));
  EXPECT_TRUE(std::equal(serial.view().begin(), serial.view().end(), parallel.view().begin()));
}

TEST(conv2d, prints_shapes_that_do_not_fit) {
  EXPECT_EQ(message_of<weft::shape_error>([] {
              weft::convolved_shape({}, {1, 2, 5, 5}, {4, 3, 3, 3});
            }),
            "conv2d: input has shape [1, 2, 5, 5] but weight has shape [4, 3, 3, 3]: their channels must be "
            "equal and "
            "the weight within the padded input");
  EXPECT_THROW(weft::convolved_shape({}, {1, 3, 2, 5}, {4, 3, 3, 3}), weft::shape_error);
  EXPECT_THROW(weft::convolved_shape({.stride = 0}, {1, 3, 5, 5}, {4, 3, 3, 3}), weft::invalid_argument);
  EXPECT_THROW(weft::convolved_shape({.padding = -1}, {1, 3, 5, 5}, {4, 3, 3, 3}), weft::invalid_argument);
}

}  // namespace conv2d_test
