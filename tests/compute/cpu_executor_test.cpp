#include <weft/compute/cpu_executor.hpp>

#include <weft/async/run.hpp>
#include <weft/compute/kernels/linear_forward.hpp>

#include "every_context.hpp"
#include "random_tensor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using weft::cpu_context;
using weft::cpu_executor;
using weft::task;
using weft::tensor;

struct add_to_each {
  float term;
  void operator()(const cpu_context& context, weft::tensor_view<float, 1> values) const {
    context.parallel_for(values.size(), [&](std::int64_t index) { values(index) += term; });
  }
};

TEST(cpu_executor, runs_a_kernel_on_views) {
  cpu_executor executor({.threads = 2, .name = "here"});
  EXPECT_EQ(executor.name(), "here");
  EXPECT_EQ(executor.threads(), 2);
  EXPECT_EQ(executor.context().threads(), 2);
  tensor<float, 1> values({100});
  weft::run([&]() -> task<void> { co_await executor.run(add_to_each{2.0F}, values.view()); }());
  for (const float value : values.elements()) EXPECT_EQ(value, 2.0F);
}

TEST(cpu_executor, returns_what_the_kernel_returns) {
  cpu_executor executor({.threads = 2});
  const double sum = weft::run([&]() -> task<double> {
    co_return co_await executor.run([](const cpu_context&, double a, double b) { return a + b; }, 1.5, 2.0);
  }());
  EXPECT_EQ(sum, 3.5);
  EXPECT_EQ(executor.submit([](const cpu_context&) { return 7; }).get(), 7);
}

TEST(cpu_executor, resumes_on_the_callers_thread) {
  cpu_executor executor({.threads = 2});
  const auto caller = std::this_thread::get_id();
  weft::run([&]() -> task<void> {
    const auto kernel_thread =
        co_await executor.run([](const cpu_context&) { return std::this_thread::get_id(); });
    EXPECT_NE(kernel_thread, caller);
    EXPECT_EQ(std::this_thread::get_id(), caller);
  }());
}

TEST(cpu_executor, runs_kernels_in_order_one_at_a_time) {
  cpu_executor executor({.threads = 3});
  std::vector<int> order;
  std::atomic<int> running{0};
  std::vector<weft::future<void>> calls;
  for (int index = 0; index < 200; ++index) {
    calls.push_back(executor.submit([&, index](const cpu_context&) {
      EXPECT_EQ(++running, 1);
      order.push_back(index);
      --running;
    }));
  }
  for (auto& call : calls) call.get();
  ASSERT_EQ(order.size(), 200U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(cpu_executor, stays_usable_after_a_kernel_that_throws) {
  cpu_executor executor({.threads = 2});
  weft::run([&]() -> task<void> {
    bool thrown = false;
    try {
      co_await executor.run([](const cpu_context& context) {
        context.parallel_for(10, [](std::int64_t index) {
          if (index == 9) throw std::runtime_error("nine");
        });
      });
    } catch (const std::runtime_error& error) {
      thrown = std::string(error.what()) == "nine";
    }
    EXPECT_TRUE(thrown);
    EXPECT_EQ(co_await executor.run([](const cpu_context&) { return 1; }), 1);
  }());
}

TEST(cpu_executor, drops_a_cancelled_kernel_that_has_not_begun) {
  cpu_executor executor({.threads = 2});
  std::latch begun(1);
  std::latch gate(1);
  auto first = executor.submit([&](const cpu_context&) {
    begun.count_down();
    gate.wait();
  });
  begun.wait();
  bool ran = false;
  auto second = executor.submit([&](const cpu_context&) { ran = true; });
  EXPECT_TRUE(second.cancel());
  gate.count_down();
  first.get();
  EXPECT_THROW(second.get(), weft::cancelled);
  EXPECT_FALSE(ran);
}

TEST(cpu_executor, finishes_what_it_was_given_when_destroyed) {
  std::atomic<int> ran{0};
  {
    cpu_executor executor({.threads = 2});
    for (int index = 0; index < 20; ++index) {
      executor.submit(
          [&](const cpu_context& context) { context.parallel_for(4, [&](std::int64_t) { ++ran; }); });
    }
  }
  EXPECT_EQ(ran.load(), 80);
}

TEST(cpu_executor, takes_the_instruction_set_by_option) {
  for (const weft::isa level : weft::supported_isas()) {
    EXPECT_EQ(cpu_executor({.threads = 1, .level = level}).context().level(), level);
  }
  EXPECT_THROW(cpu_executor({.threads = -1}), weft::invalid_argument);
}

TEST(cpu_executor, gives_the_bits_of_a_serial_context) {
  const auto input = random_tensor<2>({37, 300}, 1);
  const auto weight = random_tensor<2>({300, 70}, 2);
  const auto bias = random_tensor<1>({70}, 3);
  tensor<float, 2> serial({37, 70});
  weft::linear_forward{}(cpu_context{}, input, weight, bias, serial);
  for (const int threads : {1, 2, 4}) {
    cpu_executor executor({.threads = threads});
    tensor<float, 2> output({37, 70});
    executor.submit(weft::linear_forward{}, input.view(), weight.view(), bias.view(), output.view()).get();
    EXPECT_TRUE(std::equal(output.elements().begin(), output.elements().end(), serial.elements().begin()));
  }
}

}  // namespace
