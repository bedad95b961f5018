#include <weft/core/error.hpp>
#include <weft/market/correlation.hpp>

#include <Eigen/Cholesky>     // for Eigen::LLT
#include <Eigen/Eigenvalues>  // for Eigen::SelfAdjointEigenSolver

#include <algorithm>  // for std::max
#include <cmath>      // for std::abs, std::isfinite
#include <cstddef>    // for std::size_t
#include <string>     // for std::string, std::to_string

namespace weft {
namespace {

using matrix_type = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

std::string element(std::int64_t row, std::int64_t column, double value) {
  return "element [" + std::to_string(row) + ", " + std::to_string(column) + "] is " + std::to_string(value);
}

void require_symmetric(const matrix_type& matrix) {
  double largest = 0.0;
  for (Eigen::Index row = 0; row < matrix.rows(); ++row) {
    for (Eigen::Index column = 0; column < matrix.cols(); ++column) {
      const double value = matrix(row, column);
      if (!std::isfinite(value)) {
        throw invalid_argument("cholesky: " + element(row, column, value) + ", it must be a number");
      }
      largest = std::max(largest, std::abs(value));
    }
  }
  for (Eigen::Index row = 0; row < matrix.rows(); ++row) {
    for (Eigen::Index column = 0; column < row; ++column) {
      if (std::abs(matrix(row, column) - matrix(column, row)) <= 1e-12 * largest) continue;
      throw invalid_argument(
          "cholesky: the matrix is not symmetric: " + element(row, column, matrix(row, column)) + " and " +
          element(column, row, matrix(column, row)));
    }
  }
}

}  // namespace

std::vector<double> cholesky(std::span<const double> matrix, std::int64_t order) {
  if (order < 1 || static_cast<std::size_t>(order * order) != matrix.size()) {
    throw shape_error("cholesky: " + std::to_string(matrix.size()) + " elements are not a matrix of " +
                      std::to_string(order) + " rows and columns");
  }
  const matrix_type all = Eigen::Map<const matrix_type>(matrix.data(), order, order);
  require_symmetric(all);
  const Eigen::LLT<matrix_type> factor(all);
  if (factor.info() != Eigen::Success) {
    const Eigen::SelfAdjointEigenSolver<matrix_type> solver(all, Eigen::EigenvaluesOnly);
    throw invalid_argument("cholesky: the matrix is not positive definite: its smallest eigenvalue is " +
                           std::to_string(solver.eigenvalues().minCoeff()) +
                           "; estimate it from more data, or add to its diagonal");
  }
  const matrix_type lower = factor.matrixL();
  return {lower.data(), lower.data() + lower.size()};
}

std::vector<double> correlation_factor(std::span<const double> correlation, std::int64_t order) {
  auto factor = cholesky(correlation, order);
  for (std::int64_t row = 0; row < order; ++row) {
    const double value = correlation[static_cast<std::size_t>(row * order + row)];
    if (std::abs(value - 1.0) > 1e-12) {
      throw invalid_argument(
          "correlation_factor: " + element(row, row, value) +
          ", but the diagonal of correlations is 1; divide covariances by both deviations");
    }
  }
  return factor;
}

}  // namespace weft
