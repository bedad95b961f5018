#include <weft/compute/cuda_executor.hpp>

#include <weft/async/run.hpp>
#include <weft/compute/cuda_device.hpp>
#include <weft/compute/kernels/adam.hpp>
#include <weft/compute/kernels/elementwise.hpp>
#include <weft/compute/kernels/layer_norm.hpp>
#include <weft/compute/kernels/matmul.hpp>
#include <weft/compute/kernels/normalize_images.hpp>
#include <weft/compute/kernels/random.hpp>
#include <weft/compute/kernels/reduce.hpp>
#include <weft/compute/kernels/softmax_cross_entropy.hpp>
#include <weft/compute/pinned_memory.hpp>
#include <weft/compute/transfer.hpp>

#include "every_context.hpp"
#include "random_tensor.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

// Each kernel on a GPU against the same kernel on the CPU, which has tests of its own.

namespace cuda_executor_test {

using weft::task;
using weft::tensor;
using weft::tensor_view;

class cuda_executor : public testing::Test {
 protected:
  void SetUp() override {
    if (weft::cuda_devices().empty()) GTEST_SKIP() << "no GPU";
    gpu = std::make_unique<weft::cuda_executor>();
  }

  template <class T, int Rank>
  tensor<T, Rank> there(const tensor<T, Rank>& here) {
    return weft::run(weft::to(*gpu, here.view()));
  }
  template <class T, int Rank>
  tensor<T, Rank> back(const tensor<T, Rank>& values) {
    return weft::run(weft::to_host(*gpu, values.view()));
  }
  template <class T, int Rank>
  void expect_near(const tensor<T, Rank>& on_gpu, const tensor<T, Rank>& expected, double tolerance) {
    const tensor<T, Rank> actual = back(on_gpu);
    for (std::int64_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(static_cast<double>(actual.data()[i]), static_cast<double>(expected.data()[i]), tolerance)
          << i;
    }
  }

  weft::cpu_context cpu;
  std::unique_ptr<weft::cuda_executor> gpu;
};

TEST_F(cuda_executor, multiplies_matrices_of_either_order) {
  const auto left = random_tensor<2>({45, 60}, 1);
  const auto right = random_tensor<2>({70, 60}, 2);
  const auto bias = random_tensor<1>({70}, 3);
  const auto gpu_left = there(left);
  const auto gpu_right = there(right);
  const auto gpu_bias = there(bias);
  tensor<float, 2> expected({45, 70});
  auto output = there(expected);
  for (const weft::activation after :
       {weft::activation::none, weft::activation::relu, weft::activation::gelu}) {
    weft::matmul{after}(cpu, left, right.transpose(), bias, expected);
    gpu->submit(weft::matmul{after}, gpu_left.view().strided(), gpu_right.transpose(), gpu_bias.view(),
                output.view())
        .get();
    expect_near(output, expected, 1e-4);
  }
}

TEST_F(cuda_executor, computes_element_by_element_and_reduces) {
  const auto left = random_tensor<2>({33, 70}, 1);
  const auto row = random_tensor<1>({70}, 2);
  const auto gpu_left = there(left);
  const auto gpu_row = there(row);
  tensor<float, 2> expected({33, 70});
  auto output = there(expected);
  weft::multiply{}(cpu, left, row, expected.view());
  gpu->submit(weft::multiply{}, gpu_left.view(), gpu_row.view(), output.view()).get();
  expect_near(output, expected, 1e-6);
  weft::gelu{}(cpu, left, expected.view());
  gpu->submit(weft::gelu{}, gpu_left.view(), output.view()).get();
  expect_near(output, expected, 2e-6);
  for (const int axis : {0, 1}) {
    tensor<float, 1> sums({axis == 0 ? 70 : 33});
    auto gpu_sums = there(sums);
    weft::reduce_mean{{axis}}(cpu, left, sums.view());
    gpu->submit(weft::reduce_mean{{axis}}, gpu_left.view(), gpu_sums.view()).get();
    expect_near(gpu_sums, sums, 1e-6);
    tensor<std::int64_t, 1> where({axis == 0 ? 70 : 33});
    auto gpu_where = there(where);
    weft::argmax{{axis}}(cpu, left, where.view());
    gpu->submit(weft::argmax{{axis}}, gpu_left.view(), gpu_where.view()).get();
    expect_near(gpu_where, where, 0);
  }
}

TEST_F(cuda_executor, computes_rows_losses_and_steps) {
  const auto input = random_tensor<2>({33, 70}, 1);
  const auto scale = random_tensor<1>({70}, 2);
  const auto gpu_input = there(input);
  const auto gpu_scale = there(scale);
  tensor<float, 2> expected({33, 70});
  tensor<float, 1> mean({33});
  tensor<float, 1> inverse({33});
  auto output = there(expected);
  auto gpu_mean = there(mean);
  auto gpu_inverse = there(inverse);
  weft::layer_norm{}(cpu, input, scale, scale, expected, mean, inverse);
  gpu->submit(weft::layer_norm{}, gpu_input.view(), gpu_scale.view(), gpu_scale.view(), output.view(),
              gpu_mean.view(), gpu_inverse.view())
      .get();
  expect_near(output, expected, 1e-5);
  expect_near(gpu_inverse, inverse, 1e-5);

  const auto labels = random_labels(33, 70, 4);
  const auto gpu_labels = there(labels);
  const double loss = weft::softmax_cross_entropy{}(cpu, input, labels, mean, expected);
  EXPECT_NEAR(gpu->submit(weft::softmax_cross_entropy{}, gpu_input.view(), gpu_labels.view(), gpu_mean.view(),
                          output.view())
                  .get(),
              loss, 1e-5);
  expect_near(output, expected, 1e-6);

  tensor<float, 1> parameter = random_tensor<1>({70}, 5);
  tensor<float, 1> first({70});
  tensor<float, 1> second({70});
  auto gpu_parameter = there(parameter);
  auto gpu_first = there(first);
  auto gpu_second = there(second);
  const weft::adam_step step{.options = {.weight_decay = 0.1}, .step = 1};
  const weft::adam_parameter array{parameter, scale, first, second};
  step(cpu, {&array, 1});
  const weft::adam_parameter gpu_array{gpu_parameter, gpu_scale, gpu_first, gpu_second};
  gpu->submit(step, std::span<const weft::adam_parameter>(&gpu_array, 1)).get();
  expect_near(gpu_parameter, parameter, 1e-6);
}

TEST_F(cuda_executor, makes_the_same_random_numbers_and_images) {
  tensor<float, 1> expected({10001});
  auto output = there(expected);
  weft::fill_uniform{.seed = 9, .stream = 3}(cpu, expected);
  gpu->submit(weft::fill_uniform{.seed = 9, .stream = 3}, output.view()).get();
  expect_near(output, expected, 0);
  weft::fill_normal{.seed = 9}(cpu, expected);
  gpu->submit(weft::fill_normal{.seed = 9}, output.view()).get();
  expect_near(output, expected, 1e-5);
  tensor<std::uint8_t, 4> pixels({2, 5, 7, 3});
  for (std::int64_t i = 0; i < pixels.size(); ++i) pixels.data()[i] = static_cast<std::uint8_t>(i * 37);
  const weft::normalize_images kernel{{0.1, 0.2, 0.3}, {0.5, 0.6, 0.7}};
  tensor<float, 4> images({2, 3, 5, 7});
  auto gpu_images = there(images);
  const auto gpu_pixels = there(pixels);
  kernel(cpu, pixels, images);
  gpu->submit(kernel, gpu_pixels.view(), gpu_images.view()).get();
  expect_near(gpu_images, images, 1e-6);
}

TEST_F(cuda_executor, notices_the_end_in_every_way_and_names_what_fails) {
  for (const weft::cuda_notifier notifier :
       {weft::cuda_notifier::polling, weft::cuda_notifier::blocking, weft::cuda_notifier::callback}) {
    weft::cuda_executor executor({.notifier = notifier});
    tensor<float, 1> zeros({1000});
    weft::run([&]() -> task<void> {
      tensor<float, 1> values = co_await weft::to(executor, zeros.view());
      const weft::fill_uniform fill{.low = 2.0F, .high = 2.0F};
      co_await executor.run(fill, values.view());
      const tensor<float, 1> result = co_await weft::to_host(executor, values.view());
      EXPECT_EQ(result(999), 2.0F);
    }());
    EXPECT_EQ(executor.name(), "cuda:0");
    EXPECT_THROW(executor.submit([](const weft::cuda_context&) { throw 7; }).get(), weft::kernel_error);
    EXPECT_THROW(executor.submit([](const weft::cpu_context&) {}).get(), weft::invalid_argument);
    EXPECT_EQ(executor.submit([](const weft::cuda_context&) { return 7; }).get(), 7);
    EXPECT_THROW((tensor<float, 1>({std::int64_t{1} << 44}, executor.source())), weft::device_out_of_memory);
  }
}

TEST_F(cuda_executor, runs_kernels_side_by_side_by_option) {
  weft::cuda_executor executor({.streams = 3});
  std::vector<tensor<float, 1>> outputs;
  std::vector<weft::future<void>> calls;
  for (int i = 0; i < 9; ++i) outputs.emplace_back(weft::shape<1>{10001}, executor.source());
  for (int i = 0; i < 9; ++i) {
    const weft::fill_uniform fill{.seed = static_cast<std::uint64_t>(i)};
    calls.push_back(executor.submit(fill, outputs[static_cast<std::size_t>(i)].view()));
  }
  for (weft::future<void>& call : calls) call.get();
  tensor<float, 1> expected({10001});
  for (int i = 0; i < 9; ++i) {
    weft::fill_uniform{.seed = static_cast<std::uint64_t>(i)}(cpu, expected);
    expect_near(outputs[static_cast<std::size_t>(i)], expected, 0);
  }
}

TEST_F(cuda_executor, has_one_copier_of_its_own_stream) {
  const auto copier = gpu->copier();
  EXPECT_EQ(copier, gpu->copier());
  EXPECT_EQ(copier->where(), gpu->where());
  EXPECT_EQ(copier->name(), "cuda:0 copies");
  CUstream_st* first = nullptr;
  CUstream_st* second = nullptr;
  gpu->submit([&](const weft::cuda_context& context) { first = context.stream(); }).get();
  copier->submit([&](const weft::cuda_context& context) { second = context.stream(); }).get();
  EXPECT_NE(first, second);
}

TEST_F(cuda_executor, tells_memory_that_it_copies_from_alone) {
  const auto pinned = weft::pinned_memory();
  const tensor<float, 1> ordinary({100});
  const tensor<float, 1> locked({100}, pinned);
  const auto device = there(ordinary);
  const auto alone = [&](const float* data) {
    return gpu->submit([data](const weft::cuda_context& context) { return context.copies_alone(data); })
        .get();
  };
  EXPECT_FALSE(alone(ordinary.data()));
  EXPECT_TRUE(alone(locked.data()));
  EXPECT_TRUE(alone(device.data()));
}

TEST(cuda_executor_options, are_checked) {
  for (const int streams : {0, -1, 33}) {
    EXPECT_THROW(weft::cuda_executor({.streams = streams}), weft::invalid_argument) << streams;
  }
}

TEST(cuda_executor_without_a_gpu, says_so) {
  if (!weft::cuda_devices().empty()) GTEST_SKIP() << "there is a GPU";
  EXPECT_THROW(weft::cuda_executor({.device = 0}), weft::error);
}

}  // namespace cuda_executor_test
