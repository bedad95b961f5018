#include <weft/compute/kernels/relu_backward.hpp>

#include "every_context.hpp"
#include "random_tensor.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

namespace relu_backward_test {

TEST(relu_backward, keeps_the_gradient_of_what_is_above_zero) {
  on_every_context([](const weft::cpu_context& context) {
    for (const std::int64_t size : {0, 1, 17, 40'003}) {
      auto output = random_tensor<1>({size}, 1);
      if (size > 2) {
        output(1) = 0.0F;
        output(2) = std::nanf("");
      }
      const auto before = random_tensor<1>({size}, 2);
      auto gradient = before;
      weft::relu_backward{}(context, output, gradient);
      for (std::int64_t i = 0; i < size; ++i) ASSERT_EQ(gradient(i), output(i) > 0.0F ? before(i) : 0.0F);
    }
  });
  auto gradient = random_tensor<1>({3}, 1);
  EXPECT_THROW(weft::relu_backward{}(weft::cpu_context{}, random_tensor<1>({4}, 1), gradient),
               weft::shape_error);
}

}  // namespace relu_backward_test
