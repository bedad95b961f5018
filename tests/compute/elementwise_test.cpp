#include <weft/compute/kernels/elementwise.hpp>

#include "every_context.hpp"
#include "random_tensor.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

namespace elementwise_test {

using weft::tensor;

template <class T>
tensor<T, 3> random_numbers(const weft::shape<3>& extents, std::uint64_t seed) {
  const weft::philox random(seed);
  tensor<T, 3> result(extents);
  std::uint64_t index = 0;
  for (T& element : result.elements()) element = static_cast<T>(20.0 * random.uniform(index++) - 10.0);
  for (T& element : result.elements()) element = element == T{} ? T{1} : element;
  return result;
}

template <class T>
class elementwise : public testing::Test {};
using types = testing::Types<float, double, std::int32_t, std::int64_t>;
TYPED_TEST_SUITE(elementwise, types);

// Each operation rounds once, so results are those of the language.
TYPED_TEST(elementwise, agrees_with_the_language_for_every_way_to_repeat) {
  using T = TypeParam;
  constexpr weft::shape<3> outputs[] = {{2, 3, 5},  {1, 1, 1},   {0, 3, 2},
                                        {3, 1, 17}, {2, 70, 33}, {1, 2, 40000}};
  on_every_context([&](const weft::cpu_context& context) {
    for (const auto& extents : outputs) {
      for (const weft::shape<3> repeated : {extents,
                                            {1, extents[1], extents[2]},
                                            {extents[0], 1, extents[2]},
                                            {extents[0], extents[1], 1},
                                            {1, 1, 1}}) {
        if (context.threads() == 2 && extents[2] > 100) continue;
        const auto left = random_numbers<T>(extents, 1);
        const auto right = random_numbers<T>(repeated, 2);
        const auto wide = right.view().strided().template broadcast_to<3>(extents);
        tensor<T, 3> output(extents);
        const auto check = [&](const auto& kernel, const auto& operation) {
          tensor<T, 3> turned(extents);
          kernel(context, left, right, output.view());
          kernel(context, right, left, turned.view());
          for (std::int64_t i = 0; i < extents[0]; ++i) {
            for (std::int64_t j = 0; j < extents[1]; ++j) {
              for (std::int64_t k = 0; k < extents[2]; ++k) {
                ASSERT_EQ(output(i, j, k), operation(left(i, j, k), wide(i, j, k)));
                ASSERT_EQ(turned(i, j, k), operation(wide(i, j, k), left(i, j, k)));
              }
            }
          }
        };
        check(weft::subtract{}, [](T a, T b) { return a - b; });
        if (extents[2] > 100) continue;
        check(weft::add{}, [](T a, T b) { return a + b; });
        check(weft::multiply{}, [](T a, T b) { return a * b; });
        check(weft::divide{}, [](T a, T b) { return a / b; });
        check(weft::maximum{}, [](T a, T b) { return a > b ? a : b; });
        check(weft::minimum{}, [](T a, T b) { return a < b ? a : b; });
      }
    }
  });
}

// Outputs of 32 MiB and more are written past the caches, by whole registers from the first aligned element
// on.
TYPED_TEST(elementwise, writes_outputs_that_no_cache_holds) {
  using T = TypeParam;
  const std::int64_t size = (std::int64_t{32} << 20) / static_cast<std::int64_t>(sizeof(T)) + 77;
  tensor<T, 1> left({size});
  for (std::int64_t i = 0; i < size; ++i) left.data()[i] = static_cast<T>(i % 1009);
  const tensor<T, 1> one({1}, std::vector<T>{3});
  tensor<T, 1> memory({size + 7});
  for (const weft::isa level : weft::supported_isas()) {
    const weft::cpu_context context(level);
    for (const std::int64_t first : {0, 1, 7}) {
      for (T& element : memory.elements()) element = T{-1};
      const weft::tensor_view<T, 1> output(memory.data() + first, {size});
      const auto wrong = [&](const auto& expected) {
        std::int64_t count = 0;
        for (std::int64_t i = 0; i < size; ++i) count += output(i) == expected(left(i)) ? 0 : 1;
        for (std::int64_t i = 0; i < first; ++i) count += memory(i) == T{-1} ? 0 : 1;
        for (std::int64_t i = first + size; i < size + 7; ++i) count += memory(i) == T{-1} ? 0 : 1;
        return count;
      };
      weft::add{}(context, left, left, output);
      ASSERT_EQ(wrong([](T value) { return value + value; }), 0);
      weft::subtract{}(context, one, left, output);
      ASSERT_EQ(wrong([](T value) { return T{3} - value; }), 0);
      weft::maximum{}(context, left, one, output);
      ASSERT_EQ(wrong([](T value) { return value > T{3} ? value : T{3}; }), 0);
      weft::add{}(context, output, left, output);  // over an operand
      ASSERT_EQ(wrong([](T value) { return (value > T{3} ? value : T{3}) + value; }), 0);
      if constexpr (std::is_same_v<T, float>) {
        weft::square{}(context, left, output);
        ASSERT_EQ(wrong([](T value) { return value * value; }), 0);
        weft::square_root{}(context, left, output);
        ASSERT_EQ(wrong([](T value) { return std::sqrt(value); }), 0);
      }
    }
  }
}

TEST(elementwise_kernels, take_strides_lower_ranks_and_their_own_output) {
  const weft::cpu_context context;
  tensor<float, 2> matrix({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  const tensor<float, 2> square({2, 2}, std::vector<float>{10, 20, 30, 40});
  tensor<float, 2> output({2, 2});
  weft::add{}(context, matrix.slice(1, 0, 3, 2), square.transpose(), output.view());
  EXPECT_EQ(output(0, 1), 3.0F + 30.0F);
  EXPECT_EQ(output(1, 0), 4.0F + 20.0F);
  const tensor<float, 1> row({3}, std::vector<float>{1, 10, 100});
  weft::multiply{}(context, matrix, row, matrix.view());
  EXPECT_EQ(matrix(1, 2), 600.0F);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  tensor<float, 1> some({2}, std::vector<float>{nan, 1.0F});
  const tensor<float, 1> other({2}, std::vector<float>{1.0F, nan});
  weft::maximum{}(context, some, other, some.view());
  EXPECT_TRUE(std::isnan(some(0)));
  EXPECT_TRUE(std::isnan(some(1)));
  EXPECT_EQ(message_of<weft::shape_error>([&] { weft::add{}(context, matrix, square, output.view()); }),
            "add: left has shape [2, 3], which cannot be repeated to the output's shape [2, 2]");
}

struct function_case {
  void (*run)(const weft::cpu_context&, const tensor<float, 1>&, tensor<float, 1>&);
  double (*reference)(double);
  double low, high;
  double relative, absolute;
};

template <class Kernel>
void run(const weft::cpu_context& context, const tensor<float, 1>& input, tensor<float, 1>& output) {
  Kernel{}(context, input, output.view());
}

TEST(elementwise_kernels, functions_agree_with_double_precision) {
  constexpr double unit = std::numeric_limits<float>::epsilon();
  const function_case cases[] = {
      {run<weft::negate>, [](double x) { return -x; }, -5, 5, 0, 0},
      {run<weft::absolute>, [](double x) { return std::abs(x); }, -5, 5, 0, 0},
      {run<weft::square>, [](double x) { return x * x; }, -5, 5, unit, 0},
      {run<weft::square_root>, [](double x) { return std::sqrt(x); }, 0, 1e6, unit, 0},
      {run<weft::exponential>, [](double x) { return std::exp(x); }, -87, 88.7, 2 * unit, 0},
      {run<weft::exponential>, [](double x) { return std::exp(x); }, -1, 1, 2 * unit, 0},
      {run<weft::logarithm>, [](double x) { return std::log(x); }, 1e-30, 10, 2 * unit, 1e-9},
      {run<weft::logarithm>, [](double x) { return std::log(x); }, 1e-44, 1e-38, 2 * unit, 0},
      {run<weft::hyperbolic_tangent>, [](double x) { return std::tanh(x); }, -12, 12, 4 * unit, 0},
      {run<weft::hyperbolic_tangent>, [](double x) { return std::tanh(x); }, -1e-3, 1e-3, 4 * unit, 0},
      {run<weft::sigmoid>, [](double x) { return 1 / (1 + std::exp(-x)); }, -80, 80, 4 * unit, 0},
      {run<weft::relu>, [](double x) { return x > 0 ? x : 0; }, -5, 5, 0, 0},
      {run<weft::gelu>, [](double x) { return x * 0.5 * std::erfc(-x * std::sqrt(0.5)); }, -8, 8, 0, 3e-6},
  };
  on_every_context([&](const weft::cpu_context& context) {
    for (const function_case& current : cases) {
      SCOPED_TRACE(&current - cases);
      for (const std::int64_t count : {0, 1, 37, 5000}) {
        tensor<float, 1> input({count});
        const weft::philox random(3);
        for (std::int64_t i = 0; i < count; ++i) {
          input(i) = static_cast<float>(current.low + (current.high - current.low) *
                                                          random.uniform(static_cast<std::uint64_t>(i)));
        }
        tensor<float, 1> output({count});
        current.run(context, input, output);
        for (std::int64_t i = 0; i < count; ++i) {
          const double expected = current.reference(static_cast<double>(input(i)));
          ASSERT_NEAR(static_cast<double>(output(i)), expected,
                      current.relative * std::abs(expected) + current.absolute)
              << "of " << input(i);
        }
      }
    }
  });
}

TEST(elementwise_kernels, functions_know_their_limits) {
  on_every_context([](const weft::cpu_context& context) {
    const float infinity = std::numeric_limits<float>::infinity();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const tensor<float, 1> input({6}, std::vector<float>{infinity, -infinity, nan, 0.0F, -1.0F, 100.0F});
    tensor<float, 1> output({6});
    weft::exponential{}(context, input, output.view());
    EXPECT_EQ(output(0), infinity);
    EXPECT_EQ(output(1), 0.0F);
    EXPECT_TRUE(std::isnan(output(2)));
    EXPECT_EQ(output(3), 1.0F);
    EXPECT_EQ(output(5), infinity);
    weft::logarithm{}(context, input, output.view());
    EXPECT_EQ(output(0), infinity);
    EXPECT_TRUE(std::isnan(output(1)));
    EXPECT_TRUE(std::isnan(output(2)));
    EXPECT_EQ(output(3), -infinity);
    EXPECT_TRUE(std::isnan(output(4)));
    weft::relu{}(context, input, output.view());
    EXPECT_TRUE(std::isnan(output(2)));
    weft::sigmoid{}(context, input, output.view());
    EXPECT_EQ(output(0), 1.0F);
    EXPECT_EQ(output(1), 0.0F);
  });
}

template <class Left, class Right, class Output>
concept can_be_added = requires(const weft::cpu_context& context, Left left, Right right, Output output) {
  weft::add{}(context, left, right, output);
};
static_assert(can_be_added<weft::tensor_view<float, 2>, weft::strided_view<const float, 1>,
                           weft::tensor_view<float, 2>>);
static_assert(
    !can_be_added<weft::tensor_view<float, 2>, weft::tensor_view<double, 2>, weft::tensor_view<float, 2>>);
static_assert(
    !can_be_added<weft::tensor_view<bool, 2>, weft::tensor_view<bool, 2>, weft::tensor_view<bool, 2>>);

}  // namespace elementwise_test
