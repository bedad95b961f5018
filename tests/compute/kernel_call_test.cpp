#include <weft/compute/kernel_call.hpp>

#include <weft/compute/cpu_executor.hpp>
#include <weft/compute/kernels/conv2d.hpp>
#include <weft/compute/kernels/elementwise.hpp>
#include <weft/compute/kernels/layer_norm.hpp>
#include <weft/compute/kernels/linear_forward.hpp>
#include <weft/compute/kernels/matmul.hpp>
#include <weft/compute/kernels/reduce.hpp>
#include <weft/compute/kernels/softmax.hpp>
#include <weft/compute/kernels/softmax_cross_entropy.hpp>

#include "every_context.hpp"

#include <gtest/gtest.h>

#include <concepts>
#include <cstdint>
#include <exception>
#include <new>
#include <string>

namespace kernel_call_test {

using weft::cpu_context;
using weft::tensor;

template <class T, int Rank>
using in = weft::tensor_view<const T, Rank>;
template <class T, int Rank>
using out = weft::tensor_view<T, Rank>;

template <class Kernel, class... Arguments>
constexpr bool takes = std::invocable<Kernel&, const cpu_context&, Arguments&...>;

// What fits compiles; another rank, element type or a result that is read-only does not.
static_assert(takes<weft::matmul, in<float, 2>, in<float, 2>, out<float, 2>>);
static_assert(!takes<weft::matmul, in<float, 2>, in<float, 2>, out<float, 3>>);
static_assert(!takes<weft::matmul, in<float, 2>, in<float, 1>, out<float, 2>>);
static_assert(!takes<weft::matmul, in<double, 2>, in<double, 2>, out<double, 2>>);
static_assert(!takes<weft::matmul, in<float, 2>, in<float, 2>, in<float, 2>>);
static_assert(takes<weft::linear_forward, in<float, 2>, in<float, 2>, in<float, 1>, out<float, 2>>);
static_assert(!takes<weft::linear_forward, in<float, 2>, in<float, 2>, in<float, 2>, out<float, 2>>);
static_assert(!takes<weft::linear_forward, weft::strided_view<const float, 2>, in<float, 2>, in<float, 1>,
                     out<float, 2>>);
static_assert(takes<weft::add, in<float, 3>, in<float, 1>, out<float, 3>>);
static_assert(!takes<weft::add, in<float, 1>, in<std::int32_t, 1>, out<float, 1>>);
static_assert(!takes<weft::add, in<weft::half, 1>, in<weft::half, 1>, out<weft::half, 1>>);
static_assert(!takes<weft::exponential, in<double, 1>, out<double, 1>>);
static_assert(!takes<weft::reduce_sum, in<float, 2>, out<double, 1>>);
static_assert(takes<weft::softmax, in<float, 2>, out<float, 2>>);
static_assert(!takes<weft::softmax, in<float, 3>, out<float, 3>>);
static_assert(!takes<weft::layer_norm, in<float, 2>, in<float, 2>, in<float, 1>, out<float, 2>, out<float, 1>,
                     out<float, 1>>);
static_assert(
    !takes<weft::softmax_cross_entropy, in<float, 2>, in<std::int64_t, 1>, out<float, 1>, out<float, 2>>);
static_assert(takes<weft::conv2d, in<float, 4>, in<float, 4>, in<float, 1>, out<float, 4>>);
static_assert(!takes<weft::conv2d, in<float, 3>, in<float, 4>, in<float, 1>, out<float, 4>>);

TEST(kernel_call, says_that_memory_was_out_and_the_executor_goes_on) {
  weft::cpu_executor executor({.threads = 2});
  const auto greedy = [](const cpu_context& context, weft::tensor_view<float, 1> values) {
    context.parallel_for(values.size(), [](std::int64_t index) {
      if (index == 700) throw std::bad_alloc();
    });
  };
  tensor<float, 1> values({1000});
  auto failed = executor.submit(greedy, values.view());
  bool nested = false;
  const std::string message = message_of<weft::kernel_error>([&] {
    try {
      failed.get();
    } catch (const weft::kernel_error& problem) {
      try {
        std::rethrow_if_nested(problem);
      } catch (const std::bad_alloc&) {
        nested = true;
      }
      throw;
    }
  });
  EXPECT_TRUE(nested);
  EXPECT_NE(message.find("float32 [1000]) on cpu"), std::string::npos) << message;
  const auto fill = [](const cpu_context&, weft::tensor_view<float, 1> all) {
    for (float& value : all.elements()) value = 2.0F;
  };
  executor.submit(fill, values.view()).get();
  EXPECT_EQ(values(999), 2.0F);
}

}  // namespace kernel_call_test
