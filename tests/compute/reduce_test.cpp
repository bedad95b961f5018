#include <weft/compute/kernels/reduce.hpp>

#include "every_context.hpp"
#include "random_tensor.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using weft::tensor;

template <class T>
class reduce : public testing::Test {};
using types = testing::Types<float, double, std::int32_t, std::int64_t>;
TYPED_TEST_SUITE(reduce, types);

constexpr weft::shape<3> shapes[] = {{1, 1, 1},   {2, 3, 4},      {0, 3, 2},   {3, 0, 2},
                                     {5, 7, 300}, {2, 140001, 1}, {3, 129, 65}};

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
    tensor<float, 2> pairs({2, 2});
    pairs(1, 0) = std::numeric_limits<float>::quiet_NaN();
    tensor<std::int64_t, 1> down({2});
    weft::argmax{{0}}(context, pairs, down.view());
    EXPECT_EQ(down(0), 1);
    EXPECT_EQ(down(1), 0);
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

}  // namespace
