#include <weft/compute/kernels/random.hpp>

#include <weft/core/philox.hpp>

#include "every_context.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

namespace random_test {

using weft::tensor;

constexpr std::uint64_t seed = 0x123456789abcdef0;
constexpr std::uint64_t stream = 0xfedcba9876543210;

TEST(fill_uniform, is_the_upper_bits_of_philox_words) {
  on_every_context([](const weft::cpu_context& context) {
    const weft::philox reference(seed, stream);
    for (const std::int64_t count : {0, 1, 7, 64, 100000}) {
      tensor<float, 1> output({count});
      weft::fill_uniform{.seed = seed, .stream = stream}(context, output);
      for (std::int64_t i = 0; i < count; ++i) {
        const std::uint32_t word =
            reference.block(static_cast<std::uint64_t>(i / 4))[static_cast<std::size_t>(i % 4)];
        ASSERT_EQ(output(i), static_cast<float>(word >> 8) * 0x1p-24F) << i;
      }
    }
    tensor<float, 1> shifted({1000});
    weft::fill_uniform{.seed = 1, .low = -3.0F, .high = -1.0F}(context, shifted);
    for (const float value : shifted.elements()) {
      ASSERT_GE(value, -3.0F);
      ASSERT_LE(value, -1.0F);
    }
  });
}

TEST(fill_normal, is_box_and_mullers_transform) {
  on_every_context([](const weft::cpu_context& context) {
    const weft::philox reference(seed, stream);
    const std::int64_t count = 50001;
    tensor<float, 1> output({count});
    weft::fill_normal{.seed = seed, .stream = stream, .mean = 2.0F, .deviation = 0.5F}(context, output);
    double sum = 0.0;
    double squares = 0.0;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto words = reference.block(static_cast<std::uint64_t>(i / 4));
      const std::size_t pair = i % 4 < 2 ? 0 : 2;
      const double radius = std::sqrt(-2.0 * std::log(1.0 - std::ldexp(words[pair] >> 8, -24)));
      const double angle = 2.0 * std::numbers::pi * std::ldexp(words[pair + 1] >> 8, -24);
      const double expected = radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
      ASSERT_NEAR(static_cast<double>(output(i)), 2.0 + 0.5 * expected, 2e-6) << i;
      sum += expected;
      squares += expected * expected;
    }
    EXPECT_NEAR(sum / static_cast<double>(count), 0.0, 0.02);
    EXPECT_NEAR(squares / static_cast<double>(count), 1.0, 0.03);
  });
}

TEST(fill_normal, gives_the_same_bits_for_any_threads_and_does_not_depend_on_the_count) {
  expect_same_bits_for_any_threads([](const weft::cpu_context& context) {
    tensor<float, 1> output({100002});
    weft::fill_normal{.seed = 3}(context, output);
    tensor<float, 1> start({1001});
    weft::fill_normal{.seed = 3}(context, start);
    for (std::int64_t i = 0; i < 1001; ++i) EXPECT_EQ(start(i), output(i));
    return std::vector<float>(output.elements().begin(), output.elements().end());
  });
}

}  // namespace random_test
