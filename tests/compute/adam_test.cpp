#include <weft/compute/kernels/adam.hpp>

#include "every_context.hpp"
#include "random_tensor.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace adam_test {

using weft::adam_options;
using weft::adam_parameter;
using weft::adam_step;
using weft::tensor;

TEST(adam_step, agrees_with_double_precision) {
  on_every_context([](const weft::cpu_context& context) {
    for (const std::int64_t count : {0, 1, 3, 15, 16, 17, 100, 40000}) {
      SCOPED_TRACE(count);
      auto parameter = random_tensor<1>({count}, 1);
      auto first = tensor<float, 1>({count});
      auto second = tensor<float, 1>({count});
      std::vector<double> p(parameter.elements().begin(), parameter.elements().end());
      std::vector<double> m(p.size());
      std::vector<double> v(p.size());
      const adam_options options{.learning_rate = 0.01, .beta1 = 0.8, .beta2 = 0.99, .epsilon = 1e-6};
      for (std::int64_t step = 1; step <= 5; ++step) {
        const auto gradient = random_tensor<1>({count}, static_cast<std::uint64_t>(10 + step), 1e-3);
        const adam_parameter array{parameter, gradient, first, second};
        adam_step{.options = options, .step = step}(context, {&array, 1});
        for (std::size_t i = 0; i < p.size(); ++i) {
          const double g = static_cast<double>(gradient.data()[i]);
          m[i] = 0.8 * m[i] + 0.2 * g;
          v[i] = 0.99 * v[i] + 0.01 * g * g;
          const double corrected_m = m[i] / (1.0 - std::pow(0.8, static_cast<double>(step)));
          const double corrected_v = v[i] / (1.0 - std::pow(0.99, static_cast<double>(step)));
          p[i] -= 0.01 * corrected_m / (std::sqrt(corrected_v) + 1e-6);
          const double unit = std::numeric_limits<float>::epsilon();
          ASSERT_NEAR(static_cast<double>(first.data()[i]), m[i], 8.0 * unit * 1e-2);
          ASSERT_NEAR(static_cast<double>(second.data()[i]), v[i], 16.0 * unit * v[i]);
          ASSERT_NEAR(static_cast<double>(parameter.data()[i]), p[i],
                      8.0 * unit * (std::abs(p[i]) + 0.01 * static_cast<double>(step)));
        }
      }
    }
  });
}

TEST(adam_step, takes_a_part_of_the_parameter_away_with_weight_decay) {
  on_every_context([](const weft::cpu_context& context) {
    auto parameter = random_tensor<1>({50}, 1);
    const tensor<float, 1> before = parameter;
    const tensor<float, 1> gradient({50});
    tensor<float, 1> first({50});
    tensor<float, 1> second({50});
    const adam_parameter array{parameter, gradient, first, second};
    adam_step{.options = {.learning_rate = 0.1, .weight_decay = 0.5}}(context, {&array, 1});
    for (std::int64_t i = 0; i < 50; ++i) EXPECT_FLOAT_EQ(parameter(i), before(i) * 0.95F);
  });
  EXPECT_THROW(weft::require_valid(adam_options{.weight_decay = -0.1}), weft::invalid_argument);
}

TEST(adam_step, leaves_a_parameter_without_a_gradient) {
  on_every_context([](const weft::cpu_context& context) {
    auto parameter = random_tensor<1>({50}, 1);
    const tensor<float, 1> before = parameter;
    const tensor<float, 1> gradient({50});
    tensor<float, 1> first({50});
    tensor<float, 1> second({50});
    const adam_parameter array{parameter, gradient, first, second};
    adam_step{}(context, {&array, 1});
    for (std::int64_t i = 0; i < 50; ++i) EXPECT_EQ(parameter(i), before(i));
  });
}

TEST(adam_step, takes_gradients_of_any_size) {
  on_every_context([](const weft::cpu_context& context) {
    // The first step is the learning rate whatever the gradient, as long as epsilon and the range of float
    // allow.
    const std::vector<float> gradients{1e-15F, 1e-6F, 1.0F, 1e6F, 1e15F, -1e-6F, -1e15F};
    const auto count = static_cast<std::int64_t>(gradients.size());
    const tensor<float, 1> gradient({count}, gradients);
    tensor<float, 1> parameter({count});
    tensor<float, 1> first({count});
    tensor<float, 1> second({count});
    const adam_parameter array{parameter, gradient, first, second};
    adam_step{.options = {.learning_rate = 0.5, .epsilon = 0.0}}(context, {&array, 1});
    for (std::int64_t i = 0; i < count; ++i) {
      EXPECT_NEAR(parameter(i), gradient(i) > 0.0F ? -0.5F : 0.5F, 1e-4F) << "gradient " << gradient(i);
    }
  });
}

TEST(adam_step, updates_several_arrays_at_once_with_the_same_bits) {
  expect_same_bits_for_any_threads([](const weft::cpu_context& context) {
    auto p1 = random_tensor<1>({40001}, 1);
    auto p2 = random_tensor<1>({7}, 2);
    auto p3 = random_tensor<1>({16384}, 3);
    const auto g1 = random_tensor<1>({40001}, 4);
    const auto g2 = random_tensor<1>({7}, 5);
    const auto g3 = random_tensor<1>({16384}, 6);
    tensor<float, 1> m1({40001}), m2({7}), m3({16384}), v1({40001}), v2({7}), v3({16384}), none;
    const std::array arrays{adam_parameter{p1, g1, m1, v1}, adam_parameter{none, none, none, none},
                            adam_parameter{p2, g2, m2, v2}, adam_parameter{p3, g3, m3, v3}};
    adam_step{}(context, arrays);
    EXPECT_NE(v1(40000), 0.0F);
    EXPECT_NE(v2(6), 0.0F);
    EXPECT_NE(v3(16383), 0.0F);
    std::vector<float> all(p1.elements().begin(), p1.elements().end());
    all.insert(all.end(), p2.elements().begin(), p2.elements().end());
    all.insert(all.end(), p3.elements().begin(), p3.elements().end());
    return all;
  });
}

TEST(adam_step, leaves_the_callers_treatment_of_tiny_numbers_alone) {
  on_every_context([](const weft::cpu_context& context) {
    tensor<float, 1> parameter({20});
    tensor<float, 1> first({20});
    tensor<float, 1> second({20});
    const tensor<float, 1> gradient({20});
    for (float& moment : first.elements()) moment = 1e-40F;
    const adam_parameter array{parameter, gradient, first, second};
    adam_step{}(context, {&array, 1});
    for (const float moment : first.elements()) EXPECT_EQ(moment, 0.0F);  // it does not linger below 2^-126
    volatile float tiny = 1e-40F;
    EXPECT_GT(tiny * 0.5F, 0.0F);
  });
}

TEST(adam_step, names_what_is_out_of_range) {
  const weft::cpu_context context;
  tensor<float, 1> three({3});
  tensor<float, 1> four({4});
  const adam_parameter array{three, three, three, four};
  EXPECT_EQ(message_of<weft::shape_error>([&] {
              adam_step{}(context, {&array, 1});
            }),
            "adam_step: parameter has shape [3] but second_moment has shape [4]");
  EXPECT_EQ(message_of<weft::invalid_argument>([&] { adam_step{.step = 0}(context, {}); }),
            "adam: step is 0: the first step is 1");
  EXPECT_EQ(message_of<weft::invalid_argument>([] { weft::require_valid(adam_options{.beta1 = 1.0}); }),
            "adam: beta1 is 1.000000: it must be in [0, 1)");
  EXPECT_THROW(weft::require_valid(adam_options{.learning_rate = -1.0}), weft::invalid_argument);
  EXPECT_THROW(weft::require_valid(adam_options{.learning_rate = std::nan("")}), weft::invalid_argument);
  EXPECT_THROW(weft::require_valid(adam_options{.beta2 = -0.1}), weft::invalid_argument);
  EXPECT_THROW(weft::require_valid(adam_options{.epsilon = -1e-8}), weft::invalid_argument);
}

}  // namespace adam_test
