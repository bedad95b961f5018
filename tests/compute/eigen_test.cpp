#include <weft/compute/eigen.hpp>

#include <gtest/gtest.h>

#include <numeric>
#include <utility>

namespace eigen_test {

using weft::tensor;

TEST(eigen, sees_a_tensor_without_a_copy) {
  tensor<float, 2> matrix({2, 3});
  std::iota(matrix.elements().begin(), matrix.elements().end(), 0.0F);
  auto map = weft::as_eigen(matrix.view());
  EXPECT_EQ(map.data(), matrix.data());
  map(1, 2) = 9.0F;
  EXPECT_EQ(matrix(1, 2), 9.0F);
  EXPECT_EQ(weft::as_eigen(matrix.transpose())(2, 1), 9.0F);
  EXPECT_EQ(weft::as_eigen(std::as_const(matrix)[1]).sum(), 16.0F);
  EXPECT_THROW(weft::as_eigen(weft::tensor_view<float, 1>(nullptr, {0}, weft::cuda_place(0))),
               weft::invalid_argument);
}

TEST(eigen, lends_matrices_of_either_order) {
  Eigen::MatrixXd columns(2, 3);
  columns << 1, 2, 3, 4, 5, 6;
  const auto view = weft::as_view(columns);
  EXPECT_EQ(view(1, 0), 4.0);
  EXPECT_EQ(view.strides(), (weft::shape<2>{1, 2}));
  view(0, 2) = 7.0;
  EXPECT_EQ(columns(0, 2), 7.0);
  const Eigen::Matrix<float, 2, 2, Eigen::RowMajor> rows{{1.0F, 2.0F}, {3.0F, 4.0F}};
  EXPECT_EQ(weft::as_view(rows).dense()(1, 0), 3.0F);
}

}  // namespace eigen_test
