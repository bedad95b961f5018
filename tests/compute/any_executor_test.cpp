#include <weft/compute/any_executor.hpp>

#include <weft/async/run.hpp>
#include <weft/compute/cpu_executor.hpp>
#include <weft/compute/cuda_device.hpp>
#include <weft/compute/cuda_executor.hpp>
#include <weft/compute/transfer.hpp>

#include "every_context.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace any_executor_test {

using weft::any_executor;
using weft::cpu_context;
using weft::make_executor;
using weft::task;
using weft::tensor;

static_assert(weft::executor<weft::cpu_executor>);
static_assert(weft::executor<weft::cuda_executor>);
static_assert(!weft::executor<weft::thread_pool>);

struct scale {
  float factor;
  void operator()(const cpu_context&, weft::tensor_view<float, 1> values) const {
    for (float& value : values) value *= factor;
  }
};

TEST(make_executor, reads_names) {
  EXPECT_EQ(make_executor("cpu").name(), "cpu");
  const any_executor three = make_executor("cpu:3");
  EXPECT_EQ(three.name(), "cpu:3");
  EXPECT_EQ(dynamic_cast<weft::cpu_executor&>(three.base()).threads(), 3);
  EXPECT_EQ(make_executor("auto").where(),
            weft::cuda_devices().empty() ? weft::place{} : weft::cuda_place(0));
  EXPECT_EQ(message_of<weft::invalid_argument>([] { make_executor("gpu"); }),
            "make_executor: 'gpu' is unknown: it is cpu, cpu:THREADS, cuda, cuda:DEVICE or auto");
  for (const char* wrong : {"", "cpu:", "cpu:0", "cpu:-1", "cpu:2x", "cpus", "cuda:x", "cuda0", "AUTO"}) {
    EXPECT_THROW(make_executor(wrong), weft::invalid_argument) << wrong;
  }
}

TEST(make_executor, says_why_there_is_no_gpu) {
  if (!weft::cuda_devices().empty()) GTEST_SKIP() << "there is a GPU";
  const std::string reason = message_of<weft::error>([] { make_executor("cuda:0"); });
  EXPECT_NE(reason.find("cuda:0"), std::string::npos) << reason;
}

TEST(any_executor, runs_what_its_executor_runs) {
  any_executor executor = make_executor("cpu:2");
  tensor<float, 1> values({3}, std::vector<float>{1, 2, 3});
  weft::run([&]() -> task<void> { co_await executor.run(scale{2.0F}, values.view()); }());
  EXPECT_EQ(values(2), 6.0F);
  any_executor copied = executor;
  EXPECT_EQ(copied.submit([](const cpu_context&) { return 7; }).get(), 7);
  EXPECT_THROW(any_executor(nullptr), weft::invalid_argument);
}

TEST(any_executor, refuses_elements_that_lie_elsewhere) {
  any_executor executor = make_executor("cpu:1");
  const weft::tensor_view<float, 1> there(nullptr, {4}, weft::cuda_place(1));
  const std::string reason = message_of<weft::invalid_argument>([&] { executor.submit(scale{1.0F}, there); });
  EXPECT_NE(reason.find(
                "scale: argument 1, float32 [4], is on cuda:1 but cpu:1 computes on cpu: move it with to()"),
            std::string::npos)
      << reason;
}

TEST(any_executor, says_that_a_kernel_has_no_version_for_it) {
  any_executor executor = make_executor("cpu:1");
  const auto only_on_gpus = [](const weft::cuda_context&) { return 1; };
  const std::string reason = message_of<weft::invalid_argument>([&] { executor.submit(only_on_gpus).get(); });
  EXPECT_NE(reason.find(") on cpu:1, cpu: the kernel has no operator() for the CPU and these arguments"),
            std::string::npos)
      << reason;
}

TEST(transfer, copies_into_the_executors_memory_and_back) {
  for (const std::string name : {"cpu:1", "auto"}) {
    any_executor executor = make_executor(name);
    const tensor<double, 2> values({2, 2}, std::vector<double>{1, 2, 3, 4});
    weft::run([&]() -> task<void> {
      const tensor<double, 2> there = co_await weft::to(executor, values.view());
      EXPECT_EQ(there.where(), executor.where());
      const tensor<double, 2> back = co_await weft::to_host(executor, there.view());
      EXPECT_EQ(back(1, 1), 4.0);
      EXPECT_NE(back.data(), values.data());
      const tensor<double, 2> none({0, 2});
      const tensor<double, 2> nothing = co_await weft::to(executor, none.view());
      EXPECT_TRUE(nothing.empty());
    }());
  }
}

}  // namespace any_executor_test
