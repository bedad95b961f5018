#include <weft/compute/kernels/reduce.hpp>

#include "every_context.hpp"
#include "random_tensor.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace reduce_test {

using weft::tensor;

template <class T>
class reduce : public testing::Test {};
using types = testing::Types<float, double, std::int32_t, std::int64_t>;
TYPED_TEST_SUITE(reduce, types);

constexpr weft::shape<3> shapes[] = {{1, 1, 1},      {2, 3, 4},    {0, 3, 2},       {3, 0, 2},    {5, 7, 300},
                                     {2, 140001, 1}, {3, 129, 65}, {1200, 1030, 1}, {2, 80001, 7}};

TYPED_TEST(reduce, agrees_with_a_plain_loop_along_every_axis) {
  using T = TypeParam;
  on_every_context([](const weft::cpu_context& context) {
    for (const auto& extents : shapes) {
      tensor<T, 3> input(extents);
      const weft::philox random(5);
      std::uint64_t index = 0;
      for (T& element : input.elements()) element = static_cast<T>(2000.0 * random.uniform(index++) - 1000.0);
      for (int axis = 0; axis < 3; ++axis) {
        SCOPED_TRACE(weft::to_string(extents) + " along " + std::to_string(axis));
        const auto turned = input.view().strided().permute({axis == 0 ? 1 : 0, axis == 2 ? 1 : 2, axis});
        const std::int64_t count = turned.extent(2);
        const weft::shape<2> rest{turned.extent(0), turned.extent(1)};
        tensor<T, 2> sum(rest);
        weft::reduce_sum{{axis}}(context, input, sum.view());
        tensor<T, 2> largest(rest);
        tensor<std::int64_t, 2> where(rest);
        if (count > 0) {
          weft::reduce_max{{axis}}(context, input, largest.view());
          weft::argmax{{axis}}(context, input, where.view());
        } else if (sum.size() > 0) {
          EXPECT_THROW(weft::reduce_max{{axis}}(context, input, largest.view()), weft::invalid_argument);
        }
        for (std::int64_t i = 0; i < rest[0]; ++i) {
          for (std::int64_t j = 0; j < rest[1]; ++j) {
            double expected = 0.0;
            double magnitude = 0.0;
            std::int64_t best = 0;
            for (std::int64_t k = 0; k < count; ++k) {
              expected += static_cast<double>(turned(i, j, k));
              magnitude += std::abs(static_cast<double>(turned(i, j, k)));
              if (turned(i, j, k) > turned(i, j, best)) best = k;
            }
            // Runs of at most 64 additions in the element's type, the rest in double precision.
            const double unit = std::is_same_v<T, float> ? std::numeric_limits<float>::epsilon() : 1e-15;
            ASSERT_NEAR(static_cast<double>(sum(i, j)), expected, 70 * unit * magnitude);
            if (count == 0) continue;
            ASSERT_EQ(where(i, j), best);
            ASSERT_EQ(largest(i, j), turned(i, j, best));
          }
        }
      }
    }
  });
}

// Rows of every number of whole and broken registers, of which some are reduced together and some alone.
TYPED_TEST(reduce, takes_short_rows_of_every_length) {
  using T = TypeParam;
  on_every_context([](const weft::cpu_context& context) {
    constexpr std::int64_t rows = 37;
    for (const std::int64_t columns :
         {1, 2, 3, 5, 8, 15, 16, 17, 31, 40, 48, 63, 64, 65, 100, 128, 129, 200, 256, 257}) {
      SCOPED_TRACE("rows of " + std::to_string(columns));
      tensor<T, 2> input({rows, columns});
      for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t column = 0; column < columns; ++column)
          input(row, column) = static_cast<T>(-1 - (row * 5 + column * 7) % 11);
        // In most rows the first of the equals is farther than there are different numbers.
        if (row % 4 != 0) {
          input(row, row * 31 % columns) = T{7};
          input(row, columns - 1) = T{7};
        }
      }
      tensor<T, 1> sum({rows});
      weft::reduce_sum{{1}}(context, input, sum.view());
      tensor<T, 1> largest({rows});
      weft::reduce_max{{1}}(context, input, largest.view());
      tensor<std::int64_t, 1> where({rows});
      weft::argmax{{1}}(context, input, where.view());
      for (std::int64_t row = 0; row < rows; ++row) {
        T expected{0};
        std::int64_t best = 0;
        for (std::int64_t column = 0; column < columns; ++column) {
          expected += input(row, column);
          if (input(row, column) > input(row, best)) best = column;
        }
        ASSERT_EQ(sum(row), expected) << row;
        ASSERT_EQ(largest(row), input(row, best)) << row;
        ASSERT_EQ(where(row), best) << row;
      }
    }
  });
}

TEST(reductions, give_the_same_bits_for_a_row_alone_and_for_every_instruction_set) {
  const weft::cpu_context plain(weft::isa::v2);
  for (const std::int64_t columns : {3, 16, 40, 64, 100, 250, 300}) {
    SCOPED_TRACE("rows of " + std::to_string(columns));
    const auto input = random_tensor<2>({33, columns}, 9);
    tensor<float, 1> alone({33});
    for (std::int64_t row = 0; row < 33; ++row)
      weft::reduce_sum{}(plain, input[row], alone.view().slice(row, row + 1));
    on_every_context([&](const weft::cpu_context& context) {
      tensor<float, 1> together({33});
      weft::reduce_sum{{1}}(context, input, together.view());
      for (std::int64_t row = 0; row < 33; ++row) ASSERT_EQ(together(row), alone(row)) << row;
    });
  }
}

TEST(reductions, find_what_is_no_number_in_a_short_row) {
  on_every_context([](const weft::cpu_context& context) {
    for (const std::int64_t columns : {2, 10, 16, 61, 64, 130}) {
      for (std::int64_t at = 0; at < columns; ++at) {
        tensor<float, 2> input({19, columns});
        input(5, at) = -std::numeric_limits<float>::quiet_NaN();
        input(6, at) = std::numeric_limits<float>::infinity();
        tensor<float, 1> largest({19});
        weft::reduce_max{{1}}(context, input, largest.view());
        tensor<std::int64_t, 1> where({19});
        weft::argmax{{1}}(context, input, where.view());
        for (std::int64_t row = 0; row < 19; ++row) {
          ASSERT_EQ(std::isnan(largest(row)), row == 5);
          ASSERT_EQ(where(row), row == 5 || row == 6 ? at : 0);
        }
        ASSERT_EQ(largest(6), std::numeric_limits<float>::infinity());
      }
    }
  });
}

TEST(reductions, take_all_axes_and_ranks) {
  on_every_context([](const weft::cpu_context& context) {
    const auto input = random_tensor<2>({301, 700}, 7);
    double expected = 0.0;
    for (const float element : input.elements()) expected += static_cast<double>(element);
    tensor<float, 1> result({1});
    weft::reduce_sum{}(context, input, result.view());
    EXPECT_NEAR(static_cast<double>(result(0)), expected, 1e-2);
    weft::reduce_mean{}(context, input, result.view());
    EXPECT_NEAR(static_cast<double>(result(0)), expected / 210700.0, 1e-7);
    tensor<std::int64_t, 1> where({1});
    weft::argmax{}(context, input, where.view());
    weft::reduce_max{}(context, input, result.view());
    EXPECT_EQ(input.data()[where(0)], result(0));
    tensor<float, 1> row_means({301});
    weft::reduce_mean{{1}}(context, input, row_means.view());
    EXPECT_NEAR(
        static_cast<double>(row_means(300)),
        [&] {
          double sum = 0.0;
          for (const float element : input[300]) sum += static_cast<double>(element);
          return sum / 700.0;
        }(),
        1e-6);
  });
}

TEST(reductions, give_the_same_bits_for_any_threads) {
  expect_same_bits_for_any_threads([](const weft::cpu_context& context) {
    const auto input = random_tensor<2>({3, 400001}, 8);
    tensor<float, 1> rows({3});
    weft::reduce_sum{{1}}(context, input, rows.view());
    tensor<float, 1> columns({400001});
    weft::reduce_mean{{0}}(context, input, columns.view());
    tensor<float, 1> all({1});
    weft::reduce_sum{}(context, input, all.view());
    std::vector<float> results(columns.elements().begin(), columns.elements().end());
    results.insert(results.end(), rows.elements().begin(), rows.elements().end());
    results.push_back(all(0));
    return results;
  });
}

TEST(reductions, count_what_is_no_number_as_the_largest) {
  on_every_context([](const weft::cpu_context& context) {
    for (const std::int64_t count : {3, 200, 70000}) {
      tensor<float, 1> input({count});
      input(1) = std::numeric_limits<float>::quiet_NaN();
      input(2) = std::numeric_limits<float>::infinity();
      tensor<std::int64_t, 1> where({1});
      weft::argmax{}(context, input, where.view());
      EXPECT_EQ(where(0), 1);
      tensor<float, 1> largest({1});
      weft::reduce_max{}(context, input, largest.view());
      EXPECT_TRUE(std::isnan(largest(0)));
      const auto column = input.view().reshape<2>({count, 1});
      tensor<std::int64_t, 1> again({1});
      weft::argmax{{0}}(context, column, again.view());
      EXPECT_EQ(again(0), 1);
    }
    // Pieces of a long row are joined: one that is no number beats the numbers before and after it.
    tensor<float, 1> pieces({200000});
    pieces(3) = std::numeric_limits<float>::infinity();
    pieces(100001) = std::numeric_limits<float>::quiet_NaN();
    pieces(199999) = std::numeric_limits<float>::quiet_NaN();
    tensor<std::int64_t, 1> first({1});
    weft::argmax{}(context, pieces, first.view());
    EXPECT_EQ(first(0), 100001);
    tensor<float, 1> largest({1});
    weft::reduce_max{}(context, pieces, largest.view());
    EXPECT_TRUE(std::isnan(largest(0)));
    tensor<float, 2> pairs({2, 2});
    pairs(1, 0) = std::numeric_limits<float>::quiet_NaN();
    tensor<std::int64_t, 1> down({2});
    weft::argmax{{0}}(context, pairs, down.view());
    EXPECT_EQ(down(0), 1);
    EXPECT_EQ(down(1), 0);
  });
}

// Two elements are no numbers, in a matrix of short rows and in one that is reduced in blocks of columns.
TEST(reductions, find_what_is_no_number_in_columns_and_rows) {
  on_every_context([](const weft::cpu_context& context) {
    for (const weft::shape<2> extents : {weft::shape<2>{600, 40}, weft::shape<2>{700, 1500}}) {
      tensor<double, 2> input(extents);
      for (std::int64_t row = 0; row < extents[0]; ++row) {
        for (std::int64_t column = 0; column < extents[1]; ++column)
          input(row, column) = static_cast<double>((row * 7 + column * 3) % 1013);
      }
      const auto plain = input;
      input(301, 17) = -std::numeric_limits<double>::quiet_NaN();
      input(455, 17) = std::numeric_limits<double>::quiet_NaN();
      input(302, 18) = -std::numeric_limits<double>::infinity();
      for (const int axis : {0, 1}) {
        const std::int64_t rest = extents[axis == 0 ? 1 : 0];
        const auto largest_and_where = [&](const tensor<double, 2>& values) {
          tensor<double, 1> largest({rest});
          weft::reduce_max{{axis}}(context, values, largest.view());
          tensor<std::int64_t, 1> where({rest});
          weft::argmax{{axis}}(context, values, where.view());
          return std::pair(std::move(largest), std::move(where));
        };
        const auto [largest, where] = largest_and_where(input);
        const auto [expected, place] = largest_and_where(plain);
        for (std::int64_t index = 0; index < rest; ++index) {
          const bool no_number = axis == 0 ? index == 17 : index == 301 || index == 455;
          ASSERT_EQ(std::isnan(largest(index)), no_number) << index;
          ASSERT_EQ(where(index), !no_number ? place(index) : axis == 0 ? 301 : 17) << index;
          if (!no_number) {
            ASSERT_EQ(largest(index), expected(index)) << index;
          }
        }
      }
    }
  });
}

TEST(reductions, find_the_largest_in_every_row_of_short_rows) {
  on_every_context([](const weft::cpu_context& context) {
    constexpr std::int64_t rows = 300;
    tensor<float, 2> input({rows, 7});
    tensor<std::int64_t, 1> where({7});
    tensor<float, 1> largest({7});
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t column = row % 7;
      input(row, column) = 1.0F;
      weft::argmax{{0}}(context, input, where.view());
      weft::reduce_max{{0}}(context, input, largest.view());
      for (std::int64_t at = 0; at < 7; ++at) {
        ASSERT_EQ(where(at), at == column ? row : 0);
        ASSERT_EQ(largest(at), at == column ? 1.0F : 0.0F);
      }
      input(row, column) = 0.0F;
    }
  });
}

TEST(reductions, sum_integers_exactly_beyond_double_precision) {
  on_every_context([](const weft::cpu_context& context) {
    constexpr std::int64_t large = (std::int64_t{1} << 53) + 1;
    for (const std::int64_t count : {3, 1000, 140001}) {
      tensor<std::int64_t, 2> input({count, 2});
      input(0, 0) = large;
      input(count - 1, 0) = 1;
      input(count - 1, 1) = large;
      tensor<std::int64_t, 1> columns({2});
      weft::reduce_sum{{0}}(context, input, columns.view());
      EXPECT_EQ(columns(0), large + 1);
      EXPECT_EQ(columns(1), large);
      tensor<std::int64_t, 1> all({1});
      weft::reduce_sum{}(context, input, all.view());
      EXPECT_EQ(all(0), 2 * large + 1);
    }
    // The sum fits, though not on the way.
    constexpr std::int32_t most = std::numeric_limits<std::int32_t>::max();
    const tensor<std::int32_t, 1> wide({5}, std::vector<std::int32_t>{most, most, -most, -most, -7});
    tensor<std::int32_t, 1> sum({1});
    weft::reduce_sum{}(context, wide, sum.view());
    EXPECT_EQ(sum(0), -7);
  });
}

TEST(reductions, print_shapes_that_do_not_fit) {
  const weft::cpu_context context;
  const tensor<float, 2> input({2, 3});
  tensor<float, 1> output({3});
  EXPECT_EQ(message_of<weft::shape_error>([&] { weft::reduce_sum{{1}}(context, input, output.view()); }),
            "reduce_sum: output has shape [3] but input of shape [2, 3] without the axis has shape [2]");
  EXPECT_EQ(message_of<weft::invalid_argument>([&] { weft::reduce_max{{2}}(context, input, output.view()); }),
            "reduce_max: there is no axis 2 in shape [2, 3]");
  EXPECT_THROW(weft::reduce_sum{{0}}(context, input.transpose(), output.view()), weft::shape_error);
}

}  // namespace reduce_test
