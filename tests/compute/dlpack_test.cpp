#include <weft/compute/dlpack.hpp>

#include "every_context.hpp"

#include <gtest/gtest.h>

#include <type_traits>
#include <utility>
#include <vector>

namespace dlpack_test {

using weft::dlpack_tensor;
using weft::tensor;

template <class T>
class dlpack : public testing::Test {};
using types =
    testing::Types<float, double, weft::half, weft::bfloat16, std::int32_t, std::int64_t, std::uint8_t, bool>;
TYPED_TEST_SUITE(dlpack, types);

TYPED_TEST(dlpack, hands_over_and_takes_back_without_a_copy) {
  tensor<TypeParam, 2> values({2, 3});
  values(1, 2) = TypeParam(1);
  const TypeParam* where = values.data();
  const dlpack_tensor<TypeParam, 2> received(weft::to_dlpack(std::move(values)));
  EXPECT_EQ(received.view().data(), where);
  EXPECT_EQ(received.view().extents(), (weft::shape<2>{2, 3}));
  EXPECT_EQ(received.view()(1, 2), TypeParam(1));
}

TEST(dlpack_tensor, takes_strides_offsets_and_calls_the_deleter_once) {
  std::vector<float> memory{0, 1, 2, 3, 4, 5, 6};
  std::int64_t extents[] = {2, 3};
  std::int64_t strides[] = {1, 2};
  int deleted = 0;
  DLManagedTensor managed{};
  managed.dl_tensor = {memory.data(), {kDLCPU, 0}, 2, {kDLFloat, 32, 1}, extents, strides, sizeof(float)};
  managed.manager_ctx = &deleted;
  managed.deleter = [](DLManagedTensor* self) { ++*static_cast<int*>(self->manager_ctx); };
  {
    const dlpack_tensor<const float, 2> received(&managed);
    EXPECT_EQ(received.view()(1, 2), 6.0F);
    EXPECT_EQ(received.view()(1, 0), 2.0F);
    EXPECT_EQ(deleted, 0);
  }
  EXPECT_EQ(deleted, 1);
  managed.dl_tensor.strides = nullptr;
  EXPECT_EQ((dlpack_tensor<float, 2>(&managed).view()(1, 0)), 4.0F);
  EXPECT_EQ(message_of<weft::invalid_argument>([&] { (dlpack_tensor<double, 2>(&managed)); }),
            "dlpack_tensor: the tensor is float32 of rank 2: float64 of rank 2 was asked for");
  EXPECT_EQ(deleted, 3);
  managed.dl_tensor.dtype = {kDLComplex, 64, 1};
  EXPECT_EQ(message_of<weft::invalid_argument>([&] { (dlpack_tensor<float, 2>(&managed)); }),
            "dlpack_tensor: weft has no dtype for DLPack type code 5 of 64 bits and 1 lanes");
  managed.dl_tensor.dtype = {kDLFloat, 32, 1};
  managed.dl_tensor.device = {kDLVulkan, 0};
  EXPECT_THROW((dlpack_tensor<float, 2>(&managed)), weft::invalid_argument);
  managed.dl_tensor.device = {kDLCUDA, 2};
  EXPECT_EQ((dlpack_tensor<float, 2>(&managed).view().where()), weft::cuda_place(2));
}

}  // namespace dlpack_test
