#include <gtest/gtest.h>
#include <weft/async/run.hpp>
#include <weft/compute/any_executor.hpp>
#include <weft/compute/cuda_device.hpp>
#include <weft/compute/transfer.hpp>
#include <weft/data/loader.hpp>

#include <compute/far_executor.hpp>

#include <memory>     // for std::make_shared
#include <stdexcept>  // for std::runtime_error

namespace weft {
namespace loader_device_test {

/// Sample i is the row {i, i + 1}; their sums are made when all are there.
struct pairs {
  struct batch_type {
    tensor<float, 2> values;
    tensor<float, 1> sums;
  };
  std::int64_t count;

  std::int64_t size() const { return count; }
  void prepare(batch_type& batch, std::int64_t samples) const {
    if (batch.values.extents() != shape<2>{samples, 2}) batch.values = tensor<float, 2>({samples, 2});
    for (float& each : batch.values.elements()) each = 0.0F;
  }
  std::int64_t load(const sample_request& request, batch_type& batch) const {
    if (batch.values.where() != place{}) throw std::runtime_error("this is no host memory");
    batch.values(request.row, 0) = static_cast<float>(request.index);
    batch.values(request.row, 1) = static_cast<float>(request.index + 1);
    return 8;
  }
  void finish(batch_type& batch) const {
    const std::int64_t rows = batch.values.extent(0);
    batch.sums = tensor<float, 1>({rows});
    for (std::int64_t row = 0; row < rows; ++row)
      batch.sums(row) = batch.values(row, 0) + batch.values(row, 1);
  }
};

TEST(LoaderDeviceTest, BatchesComeOutInTheMemoryOfTheDevice) {
  thread_pool pool(2);
  const auto far = std::make_shared<far_executor>();
  {
    loader all(pool, pairs{10}, {.batch_size = 4, .epochs = 3, .device = any_executor(far)});
    int made = 0;
    for (auto& batch : all) {
      ASSERT_EQ(batch->values.where(), cuda_place(7));
      ASSERT_EQ(batch->sums.where(), cuda_place(7));
      for (std::int64_t row = 0; row < batch.size(); ++row) {  // this device's memory can be looked into
        const auto index = static_cast<float>(batch.indices()[static_cast<std::size_t>(row)]);
        EXPECT_EQ(batch->values.data()[2 * row], index);
        EXPECT_EQ(batch->sums.data()[row], 2.0F * index + 1.0F);
      }
      ++made;
    }
    EXPECT_EQ(made, 9);
    EXPECT_EQ(all.stats().errors, 0);
  }
  EXPECT_EQ(far->calls, 0) << "copies do not take their turn with the kernels";
  EXPECT_EQ(far->copies().calls, 9) << "one kernel a batch";
  EXPECT_EQ(far->memory->out, 0);
}

TEST(LoaderDeviceTest, WhatACopyThrowsIsThrownInTheBatchsPlace) {
  thread_pool pool(2);
  const auto far = std::make_shared<far_executor>();
  loader all(pool, pairs{4}, {.batch_size = 4, .device = any_executor(far)});
  far->memory->refuse = true;
  EXPECT_THROW(all.next_wait(), error);
  EXPECT_EQ(all.state().next, 0);
}

TEST(LoaderDeviceTest, ACpuIsTheHost) {
  thread_pool pool(2);
  loader all(pool, pairs{10}, {.batch_size = 4, .device = make_executor("cpu:1")});
  const float* place_of_first = nullptr;
  for (auto& batch : all) {
    if (batch.number() == 0) place_of_first = batch->values.data();
    EXPECT_EQ(batch->values.where(), place{});
    EXPECT_EQ(batch->sums(0), 8.0F * static_cast<float>(batch.number()) + 1.0F);
  }
  EXPECT_NE(place_of_first, nullptr);
}

TEST(LoaderDeviceTest, BatchesComeOutOnAGpu) {
  if (cuda_devices().empty()) GTEST_SKIP() << "no GPU in this machine or this build";
  thread_pool pool(2);
  any_executor gpu = make_executor("cuda:0");
  loader all(pool, pairs{1000}, {.batch_size = 128, .device = gpu});
  float next = 0.0F;
  for (auto& batch : all) {
    ASSERT_EQ(batch->values.where(), gpu.where());
    const tensor<float, 2> here = run(to_host(gpu, batch->values.view()));
    for (std::int64_t row = 0; row < batch.size(); ++row) EXPECT_EQ(here(row, 0), next++);
  }
  EXPECT_EQ(next, 1000.0F);
}

}  // namespace loader_device_test
}  // namespace weft
