#include <weft/compute/cuda_device.hpp>

#include <weft/compute/cpu_executor.hpp>

#include <gtest/gtest.h>

#include <cstddef>    // for std::size_t
#include <cstdint>    // for std::int64_t
#include <string>     // for std::string
#include <typeindex>  // for std::type_index
#include <vector>     // for std::vector

namespace cuda_device_test {

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

std::type_index type_thrown_for(int code) {
  try {
    weft::detail::throw_cuda_error("cudaLaunchKernel", code, "a reason");
  } catch (const weft::cuda_error& problem) {
    EXPECT_EQ(problem.code(), code);
    return typeid(problem);
  }
}

TEST(cuda_error, has_a_type_for_what_a_program_can_act_on) {
  EXPECT_EQ(type_thrown_for(2), typeid(weft::device_out_of_memory));
  for (const int code : {214, 220, 700, 702, 710, 715, 716, 719}) {
    EXPECT_EQ(type_thrown_for(code), typeid(weft::device_lost)) << code;
  }
  for (const int code : {1, 100, 400, 701, 720, 800, 999}) {
    EXPECT_EQ(type_thrown_for(code), typeid(weft::cuda_error)) << code;
  }
}

TEST(cuda_error, keeps_its_type_and_code_through_an_executor) {
  weft::cpu_executor executor({.threads = 1});
  try {
    executor
        .submit([](const weft::cpu_context&) { weft::detail::throw_cuda_error("a call", 700, "a reason"); })
        .get();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const weft::device_lost& problem) {
    EXPECT_EQ(problem.code(), 700);
    const std::string text = problem.what();
    EXPECT_NE(text.find(" on cpu: a call: a reason: the device is lost to this process (cudaError 700)"),
              std::string::npos)
        << text;
  }
  EXPECT_THROW(
      executor.submit([](const weft::cpu_context&) { weft::detail::throw_cuda_error("a call", 2, "full"); })
          .get(),
      weft::device_out_of_memory);
}

}  // namespace cuda_device_test
