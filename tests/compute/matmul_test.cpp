#include <weft/compute/kernels/matmul.hpp>

#include "every_context.hpp"
#include "random_tensor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace matmul_test {

using weft::activation;
using weft::matmul;
using weft::strided_view;
using weft::tensor;

struct sizes {
  std::int64_t rows, depth, columns;
};
constexpr sizes shapes[] = {{0, 3, 4},    {3, 0, 4},      {3, 4, 0},    {1, 1, 1},    {1, 7, 1},
                            {2, 3, 5},    {15, 5, 17},    {29, 9, 31},  {33, 40, 33}, {5, 1100, 40},
                            {6, 5, 1060}, {200, 130, 64}, {400, 20, 35}};

// Rounding errors of a sum of n products are below n * epsilon times the sum of their magnitudes; GELU's own
// are below 3e-7 of its argument.
void expect_product(const strided_view<const float, 2>& left, const strided_view<const float, 2>& right,
                    const float* bias, activation after, const weft::tensor_view<const float, 2>& output) {
  for (std::int64_t row = 0; row < left.extent(0); ++row) {
    for (std::int64_t column = 0; column < right.extent(1); ++column) {
      double sum = bias == nullptr ? 0.0 : static_cast<double>(bias[column]);
      double magnitude = std::abs(sum);
      for (std::int64_t k = 0; k < left.extent(1); ++k) {
        const double product = static_cast<double>(left(row, k)) * static_cast<double>(right(k, column));
        sum += product;
        magnitude += std::abs(product);
      }
      if (after == activation::relu) sum = std::max(sum, 0.0);
      if (after == activation::gelu) sum *= 0.5 * std::erfc(-sum * std::sqrt(0.5));
      const double unit = std::numeric_limits<float>::epsilon();
      ASSERT_NEAR(static_cast<double>(output(row, column)), sum,
                  (static_cast<double>(left.extent(1)) + 8.0) * 1.2 * unit * magnitude + 1e-30)
          << row << ' ' << column;
    }
  }
}

TEST(matmul, agrees_with_double_precision_for_either_order_of_either_factor) {
  on_every_context([](const weft::cpu_context& context) {
    for (const auto& [rows, depth, columns] : shapes) {
      SCOPED_TRACE(weft::to_string(weft::shape<3>{rows, depth, columns}));
      const auto left = random_tensor<2>({rows, depth}, 1);
      const auto left_columns = random_tensor<2>({depth, rows}, 2);
      const auto right = random_tensor<2>({depth, columns}, 3);
      const auto right_columns = random_tensor<2>({columns, depth}, 4);
      tensor<float, 2> output({rows, columns});
      const auto check = [&](strided_view<const float, 2> first, strided_view<const float, 2> second) {
        matmul{}(context, first, second, output);
        expect_product(first, second, nullptr, activation::none, output);
      };
      check(left, right);
      check(left_columns.transpose(), right);
      check(left, right_columns.transpose());
      check(left_columns.transpose(), right_columns.transpose());
    }
  });
}

TEST(matmul, agrees_with_double_precision_for_shapes_and_places_at_random) {
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
    const auto left = random_tensor<2>({rows + down, depth + along + 1}, 2 * throws);
    const auto right = random_tensor<2>({depth + down, columns + along + 1}, 2 * throws + 1);
    const auto first = left.view().slice(0, down, down + rows).slice(1, along, along + depth);
    const auto second = right.view().slice(0, down, down + depth).slice(1, along, along + columns);
    SCOPED_TRACE(weft::to_string(weft::shape<3>{rows, depth, columns}));
    for (const weft::isa level : weft::supported_isas()) {
      tensor<float, 2> output({rows, columns});
      matmul{}(weft::cpu_context(level), first, second, output);
      expect_product(first, second, nullptr, activation::none, output);
    }
  }
}

TEST(matmul, fuses_bias_and_activation_and_takes_slices) {
  on_every_context([](const weft::cpu_context& context) {
    const auto left = random_tensor<2>({45, 60}, 1);
    const auto right = random_tensor<2>({50, 90}, 2, 0.2);
    const auto bias = random_tensor<1>({37}, 3);
    const strided_view<const float, 2> part = left.slice(1, 3, 53);
    const strided_view<const float, 2> other = right.slice(1, 1, 38);
    for (const activation after : {activation::none, activation::relu, activation::gelu}) {
      tensor<float, 2> output({45, 37});
      matmul{.after = after}(context, part, other, bias, output);
      expect_product(part, other, bias.data(), after, output);
    }
  });
}

// Every 53rd row and 41st column of a product that is made of large tiles, in double precision.
TEST(matmul, agrees_with_double_precision_where_it_is_large) {
  const auto left = random_tensor<2>({701, 915}, 1);
  const auto left_columns = random_tensor<2>({915, 701}, 2);
  const auto right = random_tensor<2>({915, 807}, 3);
  const auto right_columns = random_tensor<2>({807, 915}, 4);
  const auto bias = random_tensor<1>({807}, 5);
  for (const weft::isa level : weft::supported_isas()) {
    const weft::cpu_context context(level);
    tensor<float, 2> output({701, 807});
    const auto check = [&](strided_view<const float, 2> first, strided_view<const float, 2> second,
                           const float* added, activation after) {
      tensor<float, 2> some({14, 20});
      for (std::int64_t row = 0; row < 14; ++row) {
        for (std::int64_t column = 0; column < 20; ++column)
          some(row, column) = output(row * 53, column * 41);
      }
      tensor<float, 1> some_bias({20});
      for (std::int64_t column = 0; column < 20 && added != nullptr; ++column) {
        some_bias(column) = added[column * 41];
      }
      expect_product(first.slice(0, 0, 690, 53), second.slice(1, 0, 780, 41),
                     added == nullptr ? nullptr : some_bias.data(), after, some);
    };
    matmul{}(context, left, right, output);
    check(left, right, nullptr, activation::none);
    matmul{.after = activation::gelu}(context, left_columns.transpose(), right, bias, output);
    check(left_columns.transpose(), right, bias.data(), activation::gelu);
    matmul{.after = activation::relu}(context, left, right_columns.transpose(), bias, output);
    check(left, right_columns.transpose(), bias.data(), activation::relu);
  }
}

// Wide, deep and tall, so that the packed factor is more than one slab, a few rows and columns of each.
TEST(matmul, agrees_with_double_precision_where_one_side_is_short) {
  for (const auto& [rows, depth, columns] :
       {sizes{70, 350, 4200}, sizes{66, 4100, 400}, sizes{4100, 310, 81}}) {
    SCOPED_TRACE(weft::to_string(weft::shape<3>{rows, depth, columns}));
    const auto left = random_tensor<2>({rows, depth}, 1);
    const auto right = random_tensor<2>({depth, columns}, 2);
    const auto bias = random_tensor<1>({columns}, 3);
    const std::int64_t down = rows / 9;
    const std::int64_t along = columns / 13;
    for (const weft::isa level : weft::supported_isas()) {
      tensor<float, 2> output({rows, columns});
      matmul{.after = activation::relu}(weft::cpu_context(level), left, right, bias, output);
      const strided_view<const float, 2> rows_of_it = output.view().slice(0, 0, 9 * down, down);
      const tensor<float, 2> some(rows_of_it.slice(1, 0, 13 * along, along));
      const tensor<float, 1> some_bias(
          strided_view<const float, 1>(bias.view()).slice(0, 0, 13 * along, along));
      expect_product(left.slice(0, 0, 9 * down, down), right.slice(1, 0, 13 * along, along), some_bias.data(),
                     activation::relu, some);
    }
  }
}

TEST(matmul, agrees_with_double_precision_where_rows_or_columns_are_few) {
  std::vector<sizes> all;
  for (const std::int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9}) {
    for (const std::int64_t depth : {0, 1, 17, 64}) {
      for (const std::int64_t columns : {1, 5, 33, 530}) all.push_back({rows, depth, columns});
    }
  }
  for (const std::int64_t rows : {3, 8}) all.push_back({rows, 121, 545});  // worth it in any order
  all.push_back({545, 121, 1});
  on_every_context([&](const weft::cpu_context& context) {
    for (const auto& [rows, depth, columns] : all) {
      SCOPED_TRACE(weft::to_string(weft::shape<3>{rows, depth, columns}));
      const auto left = random_tensor<2>({rows, depth}, 1);
      const auto left_columns = random_tensor<2>({depth, rows}, 2);
      const auto right = random_tensor<2>({depth, columns}, 3);
      const auto right_columns = random_tensor<2>({columns, depth}, 4);
      const auto bias = random_tensor<1>({columns}, 5);
      tensor<float, 2> output({rows, columns});
      const auto check = [&](strided_view<const float, 2> first, strided_view<const float, 2> second) {
        matmul{}(context, first, second, output);
        expect_product(first, second, nullptr, activation::none, output);
        for (const activation after : {activation::relu, activation::gelu}) {
          matmul{after}(context, first, second, bias, output);
          expect_product(first, second, bias.data(), after, output);
        }
      };
      check(left, right);
      check(left_columns.transpose(), right);
      check(left, right_columns.transpose());
      check(left_columns.transpose(), right_columns.transpose());
      const auto wide = random_tensor<2>({rows, depth + 3}, 6);
      check(wide.view().slice(1, 2, 2 + depth), right);
      check(wide.view().slice(1, 2, 2 + depth), right_columns.transpose());
    }
  });
}

TEST(matmul, gives_the_same_bits_for_any_threads_where_rows_are_few) {
  expect_same_bits_for_any_threads([](const weft::cpu_context& context) {
    const auto left = random_tensor<2>({2, 1100}, 1);
    const auto right = random_tensor<2>({1100, 1000}, 2);
    const auto right_columns = random_tensor<2>({1000, 1100}, 3);
    tensor<float, 2> output({2, 1000});
    std::vector<float> all;
    for (const strided_view<const float, 2>& second :
         {right.view().strided(), right_columns.view().transpose()}) {
      matmul{}(context, left, second, output);
      all.insert(all.end(), output.elements().begin(), output.elements().end());
    }
    return all;
  });
}

TEST(matmul, gives_the_same_bits_for_any_threads_where_it_is_large) {
  const auto left = random_tensor<2>({1030, 640}, 1);
  const auto right = random_tensor<2>({640, 790}, 2);
  expect_same_bits_for_any_threads([&](const weft::cpu_context& context) {
    tensor<float, 2> output({1030, 790});
    matmul{}(context, left, right, output);
    return std::vector<float>(output.elements().begin(), output.elements().end());
  });
}

TEST(matmul, takes_batches) {
  on_every_context([](const weft::cpu_context& context) {
    for (const std::int64_t batch : {0, 1, 9}) {
      const auto left = random_tensor<3>({batch, 20, 33}, 1);
      const auto right = random_tensor<3>({batch, 18, 33}, 2);
      tensor<float, 3> output({batch, 20, 18});
      matmul{}(context, left, right.transpose(), output);
      for (std::int64_t index = 0; index < batch; ++index) {
        expect_product(left[index], right.transpose()[index], nullptr, activation::none, output[index]);
      }
    }
  });
}

TEST(matmul, gives_the_same_bits_for_any_threads) {
  expect_same_bits_for_any_threads([](const weft::cpu_context& context) {
    tensor<float, 2> output({300, 310});
    matmul{.after = activation::gelu}(context, random_tensor<2>({250, 300}, 1).transpose(),
                                      random_tensor<2>({250, 310}, 2), output);
    return std::vector<float>(output.elements().begin(), output.elements().end());
  });
}

TEST(matmul, prints_shapes_and_strides_that_do_not_fit) {
  const weft::cpu_context context;
  const tensor<float, 2> left({2, 3});
  const tensor<float, 2> right({4, 5});
  tensor<float, 2> output({2, 5});
  EXPECT_EQ(message_of<weft::shape_error>([&] { matmul{}(context, left, right, output); }),
            "matmul: left has shape [2, 3] but right has shape [4, 5]: left's columns must be right's rows");
  tensor<float, 2> wrong({2, 4});
  EXPECT_EQ(message_of<weft::shape_error>([&] { matmul{}(context, left, right.slice(0, 0, 3), wrong); }),
            "matmul: output has shape [2, 4] but left * right has shape [2, 5]");
  const tensor<float, 2> wide({4, 6});
  EXPECT_EQ(message_of<weft::shape_error>([&] {
              matmul{}(context, wide.slice(0, 0, 4, 2).slice(1, 0, 6, 2), right.slice(0, 0, 3), output);
            }),
            "matmul: left of shape [2, 3] has strides [12, 2]: one of them must be 1; copy it into a tensor");
  const tensor<float, 3> three({3, 2, 3});
  const tensor<float, 3> four({4, 3, 5});
  tensor<float, 3> result({3, 2, 5});
  EXPECT_EQ(
      message_of<weft::shape_error>([&] { matmul{}(context, three, four, result); }),
      "matmul: left has shape [3, 2, 3], right [4, 3, 5] and output [3, 2, 5]: their batches (outer axes) "
      "differ");
}

}  // namespace matmul_test
