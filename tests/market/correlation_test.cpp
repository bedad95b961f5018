#include <weft/core/error.hpp>
#include <weft/market/correlation.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace correlation_test {

std::string refusal(const std::vector<double>& matrix, std::int64_t order,
                    std::vector<double> (*factor)(std::span<const double>, std::int64_t) = weft::cholesky) {
  try {
    factor(matrix, order);
  } catch (const weft::error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(cholesky, gives_a_triangle_whose_square_is_the_matrix) {
  const std::vector<double> matrix{4, 2, -1, 2, 5, 0.5, -1, 0.5, 3};
  const auto lower = weft::cholesky(matrix, 3);
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 3; ++column) {
      double sum = 0.0;
      for (std::size_t k = 0; k < 3; ++k) sum += lower[row * 3 + k] * lower[column * 3 + k];
      EXPECT_NEAR(sum, matrix[row * 3 + column], 1e-14);
      EXPECT_EQ(column > row ? lower[row * 3 + column] : 0.0, 0.0);
    }
  }
}

TEST(cholesky, says_what_is_wrong_with_a_matrix) {
  EXPECT_EQ(refusal({1, 2, 3}, 2), "cholesky: 3 elements are not a matrix of 2 rows and columns");
  EXPECT_EQ(
      refusal({1, 0.5, 0.25, 1}, 2),
      "cholesky: the matrix is not symmetric: element [1, 0] is 0.250000 and element [0, 1] is 0.500000");
  EXPECT_NE(refusal({1, 0.9, 0.9, 0.9, 1, -0.9, 0.9, -0.9, 1}, 3)
                .find("not positive definite: its smallest eigenvalue is -0.8"),
            std::string::npos);
  EXPECT_NE(refusal({1, 1, 1, 1}, 2).find("not positive definite"), std::string::npos);
  EXPECT_NE(refusal({std::nan("")}, 1).find("element [0, 0] is nan"), std::string::npos);
  EXPECT_NE(refusal({}, 0).find("0 elements are not a matrix of 0 rows"), std::string::npos);
  EXPECT_NE(
      refusal({0.04, 0, 0, 0.09}, 2, weft::correlation_factor).find("the diagonal of correlations is 1"),
      std::string::npos);
  EXPECT_EQ(weft::correlation_factor(std::vector<double>{1, 0.6, 0.6, 1}, 2)[3], 0.8);
}

}  // namespace correlation_test
