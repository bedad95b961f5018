#include <weft/compute/cuda_device.hpp>

#include <gtest/gtest.h>

#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::int64_t
#include <string>   // for std::string
#include <vector>   // for std::vector

namespace {

TEST(cuda_device, a_build_without_cuda_has_no_devices) {
  if (weft::built_with_cuda()) GTEST_SKIP() << "this build has the CUDA backend";
  EXPECT_TRUE(weft::cuda_devices().empty());
}

TEST(cuda_device, a_machine_without_gpu_is_an_empty_list_and_not_an_error) {
  const std::vector<weft::cuda_device> devices = weft::cuda_devices();
  for (std::size_t index = 0; index < devices.size(); ++index) {
    EXPECT_EQ(devices[index].index, static_cast<int>(index));
  }
}

TEST(cuda_device, each_gpu_is_described) {
  const std::vector<weft::cuda_device> devices = weft::cuda_devices();
  if (devices.empty()) {
    GTEST_SKIP() << (weft::built_with_cuda() ? "no NVIDIA GPU on this machine" : "built without CUDA");
  }
  for (const weft::cuda_device& device : devices) {
    SCOPED_TRACE(device.name);
    EXPECT_FALSE(device.name.empty());
    EXPECT_GT(device.memory_bytes, std::int64_t{1} << 28);
    EXPECT_GE(device.compute_major, 7);
    EXPECT_GE(device.compute_minor, 0);
    EXPECT_GT(device.multiprocessor_count, 0);
  }
}

TEST(cuda_error, names_the_call_the_code_and_the_reason) {
  const weft::cuda_error failure("cudaMalloc", 2, "out of memory");
  EXPECT_EQ(failure.code(), 2);
  EXPECT_STREQ(failure.what(), "cudaMalloc: out of memory (cudaError 2)");
}

}  // namespace
