#include <weft/compute/print.hpp>

#include <gtest/gtest.h>

#include <numeric>
#include <sstream>
#include <vector>

namespace print_test {

using weft::tensor;

TEST(print, shows_type_shape_and_elements) {
  const tensor<float, 2> matrix({2, 2}, std::vector<float>{1.0F, 2.5F, -0.1F, 1e20F});
  EXPECT_EQ(weft::to_string(matrix), "float32 [2, 2]\n[[1, 2.5],\n [-0.1, 1e+20]]");
  EXPECT_EQ(weft::to_string(matrix.transpose()), "float32 [2, 2]\n[[1, -0.1],\n [2.5, 1e+20]]");
  std::ostringstream out;
  out << matrix[0] << ' ' << tensor<std::int64_t, 1>({1}, std::vector<std::int64_t>{-7});
  EXPECT_EQ(out.str(), "float32 [2]\n[1, 2.5] int64 [1]\n[-7]");
}

TEST(print, knows_every_type) {
  const bool truth[] = {true, false};
  EXPECT_EQ(weft::to_string(tensor<bool, 1>({2}, truth)), "bool [2]\n[true, false]");
  const std::vector<std::uint8_t> bytes{0, 255};
  EXPECT_EQ(weft::to_string(tensor<std::uint8_t, 1>({2}, bytes)), "uint8 [2]\n[0, 255]");
  const std::vector<weft::half> halves{weft::half(0.1F), weft::half(-2.0F)};
  EXPECT_EQ(weft::to_string(tensor<weft::half, 1>({2}, halves)), "float16 [2]\n[0.099976, -2]");
  const std::vector<weft::bfloat16> brains{weft::bfloat16(0.1F)};
  EXPECT_EQ(weft::to_string(tensor<weft::bfloat16, 1>({1}, brains)), "bfloat16 [1]\n[0.1001]");
  EXPECT_EQ(weft::to_string(tensor<double, 1>({1}, std::vector<double>{0.1})), "float64 [1]\n[0.1]");
  EXPECT_EQ(weft::to_string(tensor<std::int32_t, 2>({0, 3})), "int32 [0, 3]\n[]");
}

TEST(print, abridges_what_is_long) {
  tensor<std::int32_t, 1> numbers({2000});
  std::iota(numbers.elements().begin(), numbers.elements().end(), 0);
  EXPECT_EQ(weft::to_string(numbers), "int32 [2000]\n[0, 1, 2, ..., 1997, 1998, 1999]");
  const auto square = numbers.view().reshape<2>({400, 5});
  EXPECT_EQ(weft::to_string(square.slice(0, 2).reshape<1>({10})),
            "int32 [10]\n[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]");
  EXPECT_EQ(weft::to_string(square),
            "int32 [400, 5]\n[[0, 1, 2, 3, 4],\n [5, 6, 7, 8, 9],\n [10, 11, 12, 13, 14],\n ...,\n"
            " [1985, 1986, 1987, 1988, 1989],\n [1990, 1991, 1992, 1993, 1994],\n"
            " [1995, 1996, 1997, 1998, 1999]]");
}

TEST(print, does_not_read_a_gpus_memory) {
  const weft::tensor_view<const float, 2> there(nullptr, {4, 4}, weft::cuda_place(0));
  EXPECT_EQ(weft::to_string(there), "float32 [4, 4] on cuda:0");
}

}  // namespace print_test
