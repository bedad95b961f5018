#include <weft/compute/float16.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

namespace float16_test {

using weft::bfloat16;
using weft::half;

// Every value there is survives the way through float.
template <class T>
void expect_exact_round_trips() {
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const T value = T::from_bits(static_cast<std::uint16_t>(bits));
    const float wide = value;
    if (std::isnan(wide)) {
      EXPECT_TRUE(std::isnan(static_cast<float>(T(wide))));
    } else {
      ASSERT_EQ(T(wide).bits(), bits);
    }
  }
}

// Between neighbours the nearer one is taken, of two that are as near the even one, and monotonically.
template <class T>
void expect_nearest_even(std::uint16_t largest) {
  for (std::uint16_t bits = 0; bits < largest; ++bits) {
    const float low = T::from_bits(bits);
    const float high = T::from_bits(static_cast<std::uint16_t>(bits + 1));
    const float middle = low + (high - low) / 2.0F;
    const std::uint16_t even = bits % 2 == 0 ? bits : static_cast<std::uint16_t>(bits + 1);
    ASSERT_EQ(T(middle).bits(), even);
    ASSERT_EQ(T(-middle).bits(), even | 0x8000);
    ASSERT_EQ(T(std::nextafter(middle, low)).bits(), bits);
    ASSERT_EQ(T(std::nextafter(middle, high)).bits(), bits + 1);
  }
}

TEST(half, keeps_every_value) {
  expect_exact_round_trips<half>();
}

TEST(half, rounds_to_the_nearest) {
  expect_nearest_even<half>(0x7bff);
  EXPECT_EQ(static_cast<float>(half(1.0F / 3.0F)), 0x1.554p-2F);
  EXPECT_EQ(half(65519.9F).bits(), 0x7bff);
  EXPECT_EQ(half(65520.0F).bits(), 0x7c00);
  EXPECT_EQ(half(-std::numeric_limits<float>::infinity()).bits(), 0xfc00);
}

TEST(bfloat16, keeps_every_value) {
  expect_exact_round_trips<bfloat16>();
}

TEST(bfloat16, rounds_to_the_nearest) {
  expect_nearest_even<bfloat16>(0x7f7f);
  EXPECT_EQ(bfloat16(std::numeric_limits<float>::max()).bits(), 0x7f80);
}

}  // namespace float16_test
