#include "product.hpp"

#include <Eigen/Core>

namespace {

using matrix = Eigen::Map<Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

void product(benchmark::State& state) {
  Eigen::setNbThreads(1);
  measure_product(state, [](product_case<float>& numbers) {
    const auto size = static_cast<Eigen::Index>(numbers.size());
    matrix output(numbers.output.data(), size, size);
    output.noalias() = matrix(numbers.left.data(), size, size) * matrix(numbers.right.data(), size, size);
  });
}

BENCHMARK(product)->Name("product/eigen")->Apply(product_sizes);

void product_row(benchmark::State& state, const product_options& options) {
  Eigen::setNbThreads(1);
  measure_product(
      state,
      [&](product_case<float>& numbers) {
        using vector = Eigen::Map<Eigen::RowVectorXf>;
        const auto size = static_cast<Eigen::Index>(numbers.size());
        const matrix right(numbers.right.data(), size, size);
        vector output(numbers.output.data(), size);
        if (options.transposed) {
          output.noalias() = vector(numbers.left.data(), size) * right.transpose();
        } else {
          output.noalias() = vector(numbers.left.data(), size) * right;
        }
      },
      options);
}
BENCHMARK_CAPTURE(product_row, , row)->Name("product_row/eigen")->Apply(row_sizes);
BENCHMARK_CAPTURE(product_row, , row_transposed)->Name("product_row_transposed/eigen")->Apply(row_sizes);

void batched(benchmark::State& state) {
  Eigen::setNbThreads(1);
  measure_product(
      state,
      [](product_case<float>& numbers) {
        const auto size = static_cast<Eigen::Index>(numbers.size());
        for (std::size_t i = 0; i < numbers.count(); ++i) {
          const std::size_t at = i * numbers.size() * numbers.size();
          matrix output(numbers.output.data() + at, size, size);
          output.noalias() =
              matrix(numbers.left.data() + at, size, size) * matrix(numbers.right.data() + at, size, size);
        }
      },
      batch);
}
BENCHMARK(batched)->Name("batched/eigen")->Apply(batched_size);

}  // namespace

BENCHMARK_MAIN();
