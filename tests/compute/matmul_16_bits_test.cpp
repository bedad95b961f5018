#include <weft/compute/float16.hpp>
#include <weft/compute/kernels/matmul.hpp>

#include "every_context.hpp"
#include "random_tensor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

// Products of bfloat16 and of half.

namespace matmul_16_bits_test {

using weft::activation;
using weft::bfloat16;
using weft::half;
using weft::matmul;
using weft::strided_view;
using weft::tensor;

template <class T>
class matmul_16_bits : public testing::Test {};
using types = testing::Types<bfloat16, half>;
TYPED_TEST_SUITE(matmul_16_bits, types);

template <class T, int Rank>
tensor<T, Rank> random_words(const weft::shape_of_rank<Rank>& extents, std::uint64_t seed,
                             double scale = 1.0) {
  const tensor<float, Rank> values = random_tensor<Rank>(extents, seed, scale);
  tensor<T, Rank> result(extents);
  std::transform(values.elements().begin(), values.elements().end(), result.elements().begin(),
                 [](float value) { return T(value); });
  return result;
}

template <class T>
std::vector<std::uint16_t> bits_of(const tensor<T, 2>& values) {
  std::vector<std::uint16_t> bits;
  for (const T value : values.elements()) bits.push_back(value.bits());
  return bits;
}

// A result is rounded once, by half a unit in its last place; before that a chain of n additions of floats is
// wrong by less than n * epsilon times the sum of the magnitudes. GELU's own error is below 3e-7.
template <class T>
void expect_element(const strided_view<const T, 2>& left, const strided_view<const T, 2>& right,
                    const T* bias, activation after, std::int64_t row, std::int64_t column, T output) {
  double sum = bias == nullptr ? 0.0 : static_cast<double>(bias[column]);
  double magnitude = std::abs(sum);
  for (std::int64_t k = 0; k < left.extent(1); ++k) {
    const double product = static_cast<double>(left(row, k)) * static_cast<double>(right(k, column));
    sum += product;
    magnitude += std::abs(product);
  }
  if (after == activation::relu) sum = std::max(sum, 0.0);
  if (after == activation::gelu) sum *= 0.5 * std::erfc(-sum * std::sqrt(0.5));
  const double unit = std::is_same_v<T, half> ? 0x1p-11 : 0x1p-8;
  const double chain = (static_cast<double>(left.extent(1)) + 8.0) * 1.2 *
                       static_cast<double>(std::numeric_limits<float>::epsilon()) * magnitude;
  ASSERT_NEAR(static_cast<double>(output), sum, 1.01 * unit * std::abs(sum) + chain + 0x1p-25)
      << row << ' ' << column;
}

// Every down-th row and along-th column.
template <class T>
void expect_words(const strided_view<const T, 2>& left, const strided_view<const T, 2>& right, const T* bias,
                  activation after, const weft::tensor_view<const T, 2>& output, std::int64_t down = 1,
                  std::int64_t along = 1) {
  for (std::int64_t row = 0; row < left.extent(0); row += down) {
    for (std::int64_t column = 0; column < right.extent(1); column += along) {
      expect_element(left, right, bias, after, row, column, output(row, column));
    }
  }
}

struct word_sizes {
  std::int64_t rows, depth, columns;
};

TYPED_TEST(matmul_16_bits, agrees_with_double_precision_for_either_order_of_either_factor) {
  using T = TypeParam;
  on_every_context([](const weft::cpu_context& context) {
    for (const auto& [rows, depth, columns] :
         {word_sizes{0, 3, 4}, word_sizes{3, 0, 4}, word_sizes{3, 4, 0}, word_sizes{1, 1, 1},
          word_sizes{1, 7, 1}, word_sizes{2, 3, 5}, word_sizes{15, 5, 17}, word_sizes{29, 9, 31},
          word_sizes{33, 40, 33}, word_sizes{5, 1100, 40}, word_sizes{6, 5, 1060}, word_sizes{80, 67, 64}}) {
      SCOPED_TRACE(weft::to_string(weft::shape<3>{rows, depth, columns}));
      const auto left = random_words<T, 2>({rows, depth}, 1);
      const auto left_columns = random_words<T, 2>({depth, rows}, 2);
      const auto right = random_words<T, 2>({depth, columns}, 3);
      const auto right_columns = random_words<T, 2>({columns, depth}, 4);
      const auto check = [&](strided_view<const T, 2> first, strided_view<const T, 2> second) {
        auto output = random_words<T, 2>({rows, columns}, 5);
        matmul{}(context, first, second, output);
        expect_words<T>(first, second, nullptr, activation::none, output);
      };
      check(left, right);
      check(left_columns.transpose(), right);
      check(left, right_columns.transpose());
      check(left_columns.transpose(), right_columns.transpose());
    }
  });
}

TYPED_TEST(matmul_16_bits, agrees_with_double_precision_for_shapes_and_places_at_random) {
  using T = TypeParam;
  const weft::philox dice(7);
  std::uint64_t throws = 0;
  const auto below = [&](std::uint64_t limit) {
    return static_cast<std::int64_t>(dice.below(throws++, limit));
  };
  for (int trial = 0; trial < 40; ++trial) {
    const std::int64_t rows = below(70);
    const std::int64_t depth = below(90);
    const std::int64_t columns = below(80);
    const std::int64_t down = below(3);
    const std::int64_t along = below(5);  // what begins there is not aligned
    const auto left = random_words<T, 2>({rows + down, depth + along + 1}, 2 * throws);
    const auto right = random_words<T, 2>({depth + down, columns + along + 1}, 2 * throws + 1);
    const auto other = random_words<T, 2>({columns + down, depth + along + 1}, 2 * throws + 2);
    const auto first = left.view().slice(0, down, down + rows).slice(1, along, along + depth);
    const auto second = right.view().slice(0, down, down + depth).slice(1, along, along + columns);
    const auto third = other.view().slice(0, down, down + columns).slice(1, along, along + depth).transpose();
    SCOPED_TRACE(weft::to_string(weft::shape<3>{rows, depth, columns}));
    for (const weft::isa level : weft::supported_isas()) {
      tensor<T, 2> output({rows, columns});
      matmul{}(weft::cpu_context(level), first, second, output);
      expect_words<T>(first, second, nullptr, activation::none, output);
      matmul{}(weft::cpu_context(level), first, third, output);
      expect_words<T>(first, third, nullptr, activation::none, output);
    }
  }
}

TYPED_TEST(matmul_16_bits, fuses_bias_and_activation_and_takes_slices) {
  using T = TypeParam;
  on_every_context([](const weft::cpu_context& context) {
    const auto left = random_words<T, 2>({45, 60}, 1);
    const auto right = random_words<T, 2>({50, 110}, 2, 0.2);
    const auto bias = random_words<T, 1>({69}, 3);
    const strided_view<const T, 2> part = left.slice(1, 3, 53);
    const strided_view<const T, 2> other = right.slice(1, 1, 70);
    for (const activation after : {activation::none, activation::relu, activation::gelu}) {
      tensor<T, 2> output({45, 69});
      matmul{.after = after}(context, part, other, bias, output);
      expect_words<T>(part, other, bias.data(), after, output);
    }
  });
}

// More than a slab of the right factor in every direction, some rows and columns of each.
TYPED_TEST(matmul_16_bits, agrees_with_double_precision_where_it_is_large) {
  using T = TypeParam;
  for (const auto& [rows, depth, columns] :
       {word_sizes{201, 530, 1101}, word_sizes{70, 2311, 600}, word_sizes{261, 32901, 35}}) {
    SCOPED_TRACE(weft::to_string(weft::shape<3>{rows, depth, columns}));
    const auto left = random_words<T, 2>({rows, depth}, 1);
    const auto right_columns = random_words<T, 2>({columns, depth}, 2);
    const auto bias = random_words<T, 1>({columns}, 3);
    for (const weft::isa level : weft::supported_isas()) {
      tensor<T, 2> output({rows, columns});
      matmul{.after = activation::relu}(weft::cpu_context(level), left, right_columns.transpose(), bias,
                                        output);
      expect_words<T>(left, right_columns.transpose(), bias.data(), activation::relu, output, rows / 5,
                      columns / 11);
    }
  }
}

TYPED_TEST(matmul_16_bits, gives_the_same_bits_for_any_threads_and_instruction_set) {
  using T = TypeParam;
  for (const auto& [rows, depth, columns] : {word_sizes{200, 777, 150}, word_sizes{530, 320, 600}}) {
    const auto left = random_words<T, 2>({depth, rows}, 1);
    const auto right = random_words<T, 2>({depth, columns}, 2);
    const auto bias = random_words<T, 1>({columns}, 3);
    std::vector<std::uint16_t> expected;
    on_every_context([&, rows = rows, columns = columns](const weft::cpu_context& context) {
      tensor<T, 2> output({rows, columns});
      matmul{.after = activation::relu}(context, left.transpose(), right, bias, output);
      if (expected.empty()) expected = bits_of(output);
      ASSERT_EQ(bits_of(output), expected);
    });
  }
}

TYPED_TEST(matmul_16_bits, takes_batches) {
  using T = TypeParam;
  on_every_context([](const weft::cpu_context& context) {
    for (const auto& [batch, rows] :
         {std::pair{0, 20}, std::pair{1, 20}, std::pair{9, 20}, std::pair{2, 500}}) {
      const auto left = random_words<T, 3>({batch, rows, 93}, 1);
      const auto right = random_words<T, 3>({batch, 98, 93}, 2);
      const auto bias = random_words<T, 1>({98}, 3);
      tensor<T, 3> output({batch, rows, 98});
      tensor<T, 3> shifted({batch, rows, 98});
      matmul{}(context, left, right.transpose(), output);
      matmul{}(context, left, right.transpose(), bias, shifted);
      for (std::int64_t index = 0; index < batch; ++index) {
        expect_words<T>(left[index], right.transpose()[index], nullptr, activation::none, output[index], 7,
                        3);
        expect_words<T>(left[index], right.transpose()[index], bias.data(), activation::none, shifted[index],
                        7, 3);
      }
    }
  });
}

// A factor of 1 gives every number back; of bfloat16 those below the normal range count as 0.
TYPED_TEST(matmul_16_bits, keeps_every_number) {
  using T = TypeParam;
  tensor<T, 2> all({65536, 1});
  for (std::int64_t bits = 0; bits < all.size(); ++bits) {
    all(bits, 0) = T::from_bits(static_cast<std::uint16_t>(bits));
  }
  tensor<T, 2> one({1, 1});
  one(0, 0) = T(1.0F);
  for (const weft::isa level : weft::supported_isas()) {
    tensor<T, 2> output({65536, 1});
    tensor<T, 2> beside({1, 65536});
    matmul{}(weft::cpu_context(level), all, one, output);
    matmul{}(weft::cpu_context(level), one, all.transpose(), beside);
    for (std::int64_t bits = 0; bits < all.size(); ++bits) {
      float value = all(bits, 0);
      if (std::is_same_v<T, bfloat16> && std::abs(value) < 0x1p-126F) value = 0.0F;
      for (const float result : {static_cast<float>(output(bits, 0)), static_cast<float>(beside(0, bits))}) {
        ASSERT_TRUE(result == value || (std::isnan(result) && std::isnan(value)))
            << bits << " on " << weft::to_string(level);
      }
    }
  }
}

// The product of two such numbers is exact in float, and a type's own rounding makes the output of it.
TYPED_TEST(matmul_16_bits, rounds_to_the_nearest) {
  using T = TypeParam;
  const auto left = random_words<T, 2>({300, 1}, 1, 30.0);
  const auto right = random_words<T, 2>({1, 300}, 2, 30.0);
  for (const weft::isa level : weft::supported_isas()) {
    tensor<T, 2> output({300, 300});
    matmul{}(weft::cpu_context(level), left, right, output);
    for (std::int64_t row = 0; row < 300; ++row) {
      for (std::int64_t column = 0; column < 300; ++column) {
        const T nearest(static_cast<float>(left(row, 0)) * static_cast<float>(right(0, column)));
        ASSERT_EQ(output(row, column).bits(), nearest.bits()) << weft::to_string(level);
      }
    }
  }
}

// 2^24 and then 1 and -2^24 in a pair: the 1 is lost if it is added first.
TYPED_TEST(matmul_16_bits, adds_the_second_of_each_pair_first) {
  using T = TypeParam;
  for (const bool second : {false, true}) {
    tensor<T, 2> left({1, 4});
    tensor<T, 2> right({4, 1});
    left(0, 0) = right(0, 0) = T(4096.0F);
    left(0, second ? 3 : 2) = right(second ? 3 : 2, 0) = T(1.0F);
    left(0, second ? 2 : 3) = T(-4096.0F);
    right(second ? 2 : 3, 0) = T(4096.0F);
    for (const weft::isa level : weft::supported_isas()) {
      tensor<T, 2> output({1, 1});
      matmul{}(weft::cpu_context(level), left, right, output);
      EXPECT_EQ(static_cast<float>(output(0, 0)), second ? 0.0F : 1.0F) << weft::to_string(level);
    }
  }
}

TYPED_TEST(matmul_16_bits, prints_shapes_that_do_not_fit) {
  using T = TypeParam;
  const weft::cpu_context context;
  const tensor<T, 2> left({2, 3});
  const tensor<T, 2> right({4, 5});
  tensor<T, 2> output({2, 5});
  EXPECT_EQ(message_of<weft::shape_error>([&] { matmul{}(context, left, right, output); }),
            "matmul: left has shape [2, 3] but right has shape [4, 5]: left's columns must be right's rows");
  const tensor<T, 1> bias({4});
  EXPECT_EQ(
      message_of<weft::shape_error>([&] { matmul{}(context, left, right.slice(0, 0, 3), bias, output); }),
      "matmul: bias has shape [4] but one row of the output has shape [5]");
}

}  // namespace matmul_16_bits_test
