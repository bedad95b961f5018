#include <weft/compute/cpu_executor.hpp>

#include <weft/async/event.hpp>
#include <weft/async/run.hpp>
#include <weft/async/task_group.hpp>
#include <weft/compute/kernels/linear_forward.hpp>
#include <weft/observe/trace.hpp>

#include "every_context.hpp"
#include "random_tensor.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <latch>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace cpu_executor_test {

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

struct fails_at {
  int index;
  void operator()(const cpu_context& context, weft::tensor_view<const float, 2>) const {
    context.parallel_for(10, [this](std::int64_t at) {
      if (at == index) throw std::runtime_error("nine");
    });
  }
};

TEST(cpu_executor, names_a_kernel_that_throws_and_stays_usable) {
  cpu_executor executor({.threads = 2, .name = "here"});
  const tensor<float, 2> values({2, 3});
  weft::run([&]() -> task<void> {
    std::string reason;
    std::string inner;
    try {
      co_await executor.run(fails_at{9}, values.view());
    } catch (const weft::kernel_error& error) {
      reason = error.what();
      try {
        std::rethrow_if_nested(error);
      } catch (const std::runtime_error& cause) {
        inner = cause.what();
      }
    }
    EXPECT_TRUE(reason.ends_with("fails_at(float32 [2, 3]) on here, cpu: nine")) << reason;
    EXPECT_EQ(inner, "nine");
    EXPECT_EQ(co_await executor.run([](const cpu_context&) { return 1; }), 1);
  }());
}

TEST(cpu_executor, keeps_the_type_of_a_shape_error) {
  cpu_executor executor({.threads = 1});
  const tensor<float, 2> input({2, 3});
  const tensor<float, 1> bias({5});
  tensor<float, 2> output({2, 5});
  EXPECT_EQ(
      message_of<weft::shape_error>([&] {
        executor.submit(weft::linear_forward{}, input.view(), output.view(), bias.view(), output.view())
            .get();
      }),
      "linear_forward(float32 [2, 3], float32 [2, 5], float32 [5], float32 [2, 5]) on cpu: linear_forward: "
      "input has shape [2, 3] but weight has shape [2, 5]: input's columns must be weight's rows");
  EXPECT_THROW(executor.submit([](const cpu_context&) { throw 7; }).get(), weft::kernel_error);
}

TEST(cpu_executor, waits_for_a_cancelled_kernel_that_runs_and_reports_it) {
  cpu_executor executor({.threads = 2});
  std::latch begun(1);
  std::latch gate(1);
  bool finished = false;
  auto call = executor.submit([&](const cpu_context&) {
    begun.count_down();
    gate.wait();
    finished = true;
  });
  begun.wait();
  EXPECT_FALSE(call.cancel());
  gate.count_down();
  call.get();
  EXPECT_TRUE(finished);

  std::latch again(1);
  std::latch second_gate(1);
  bool reported = false;
  std::atomic<bool> done{false};
  weft::run([&]() -> task<void> {
    auto kernel = [&](const cpu_context&) {
      again.count_down();
      second_gate.wait();
      done = true;
    };
    auto awaiting = [&]() -> task<void> {
      try {
        co_await executor.run(kernel);
      } catch (const weft::cancelled&) {
        reported = done.load();
      }
    };
    weft::event never;
    auto opening = [&]() -> task<void> {
      try {
        co_await never.wait();
      } catch (const weft::cancelled&) {
        second_gate.count_down();  // the other child has been told too by now
      }
    };
    auto body = [&](weft::task_group& group) -> task<void> {
      group.spawn(awaiting());
      group.spawn(opening());
      again.wait();
      group.cancel();
      co_return;
    };
    co_await weft::with_task_group(body);
  }());
  EXPECT_TRUE(reported);
}

TEST(cpu_executor, keeps_order_though_a_pool_thread_waits) {
  cpu_executor executor({.threads = 2});
  weft::thread_pool pool(1);
  std::latch gate(1);
  std::vector<int> order;
  auto first = executor.submit([&](const cpu_context&) {
    gate.wait();
    order.push_back(1);
  });
  auto waiting = pool.submit([&] {
    auto second = executor.submit([&](const cpu_context&) { order.push_back(2); });
    gate.count_down();
    second.get();
  });
  waiting.get();
  first.get();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(cpu_executor, traces_each_kernel) {
  const std::string path = testing::TempDir() + "weft_cpu_executor_trace_" + std::to_string(::getpid());
  weft::trace::start(path);
  {
    cpu_executor executor({.threads = 1});
    tensor<float, 1> values({4});
    executor.submit(add_to_each{1.0F}, values.view()).get();
  }
  weft::trace::stop();
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_NE(text.find("add_to_each\""), std::string::npos);
  std::remove(path.c_str());
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

}  // namespace cpu_executor_test
