#include <weft/compute/kernels/sgd.hpp>

#include "every_context.hpp"
#include "random_tensor.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace sgd_test {

using weft::sgd_options;
using weft::sgd_parameter;
using weft::sgd_step;
using weft::tensor;

TEST(sgd_step, agrees_with_double_precision) {
  on_every_context([](const weft::cpu_context& context) {
    for (const sgd_options& options :
         {sgd_options{.learning_rate = 0.1}, sgd_options{.learning_rate = 0.1, .weight_decay = 0.01},
          sgd_options{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01},
          sgd_options{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true}}) {
      for (const std::int64_t count : {0, 1, 17, 40000}) {
        auto parameter = random_tensor<1>({count}, 1);
        tensor<float, 1> velocity({count});
        std::vector<double> p(parameter.elements().begin(), parameter.elements().end());
        std::vector<double> v(p.size());
        for (std::uint64_t step = 0; step < 3; ++step) {
          const auto gradient = random_tensor<1>({count}, 10 + step);
          const sgd_parameter array{parameter, gradient, velocity};
          sgd_step{options}(context, {&array, 1});
          for (std::size_t i = 0; i < p.size(); ++i) {
            const double d = static_cast<double>(gradient.elements()[i]) + options.weight_decay * p[i];
            v[i] = options.momentum * v[i] + d;
            p[i] -= options.learning_rate * (options.nesterov ? d + options.momentum * v[i] : v[i]);
            ASSERT_NEAR(static_cast<double>(parameter.elements()[i]), p[i], 1e-6 * (1.0 + std::abs(p[i])));
          }
        }
      }
    }
  });
}

TEST(sgd_step, needs_no_velocity_without_momentum_and_names_what_is_wrong) {
  const weft::cpu_context context;
  tensor<float, 1> three({3}, std::vector<float>{1, 2, 3});
  const tensor<float, 1> gradient({3}, std::vector<float>{1, 1, 1});
  const sgd_parameter array{three, gradient};
  sgd_step{{.learning_rate = 0.5}}(context, {&array, 1});
  EXPECT_EQ(three(0), 0.5F);
  EXPECT_EQ(message_of<weft::shape_error>([&] {
              sgd_step{{.momentum = 0.5}}(context, {&array, 1});
            }),
            "sgd_step: parameter has shape [3] but velocity has shape [0]");
  EXPECT_EQ(message_of<weft::invalid_argument>([] { weft::require_valid(sgd_options{.momentum = 1.0}); }),
            "sgd: momentum is 1.000000: it must be in [0, 1)");
  EXPECT_THROW(weft::require_valid(sgd_options{.nesterov = true}), weft::invalid_argument);
  EXPECT_THROW(weft::require_valid(sgd_options{.learning_rate = -1.0}), weft::invalid_argument);
  EXPECT_THROW(weft::require_valid(sgd_options{.weight_decay = -1.0}), weft::invalid_argument);
}

TEST(clip_by_norm, scales_all_arrays_together) {
  on_every_context([](const weft::cpu_context& context) {
    auto first = random_tensor<1>({40001}, 1);
    auto second = random_tensor<1>({3}, 2, 50.0);
    tensor<float, 1> none({0});
    const std::vector<float> before(second.elements().begin(), second.elements().end());
    double square = 0.0;
    for (const float g : first.elements()) square += static_cast<double>(g) * static_cast<double>(g);
    for (const float g : second.elements()) square += static_cast<double>(g) * static_cast<double>(g);
    const std::array arrays{first.view(), none.view(), second.view()};
    const double norm = weft::clip_by_norm{.max_norm = 1e6}(context, arrays);
    EXPECT_NEAR(norm, std::sqrt(square), 1e-6 * norm);
    EXPECT_EQ(second(2), before[2]);
    weft::clip_by_norm{.max_norm = 2.0}(context, arrays);
    EXPECT_NEAR(static_cast<double>(second(2)), static_cast<double>(before[2]) * 2.0 / norm, 1e-6);
    EXPECT_NEAR((weft::clip_by_norm{.max_norm = 1e6}(context, arrays)), 2.0, 1e-5);
    second(0) = std::numeric_limits<float>::infinity();
    const float other = second(1);
    EXPECT_TRUE(std::isinf(weft::clip_by_norm{.max_norm = 1.0}(context, arrays)));
    EXPECT_EQ(second(1), other);
    EXPECT_THROW(weft::clip_by_norm{.max_norm = 0.0}(context, arrays), weft::invalid_argument);
  });
}

TEST(clip_by_norm, gives_the_same_bits_for_any_threads) {
  expect_same_bits_for_any_threads([](const weft::cpu_context& context) {
    auto values = random_tensor<1>({100003}, 1);
    const std::array arrays{values.view()};
    weft::clip_by_norm{.max_norm = 1.0}(context, arrays);
    return std::vector<float>(values.elements().begin(), values.elements().end());
  });
}

}  // namespace sgd_test
