#include "product.hpp"

#include <cblas.h>

namespace {

void product(benchmark::State& state) {
  openblas_set_num_threads(1);
  measure_product(state, [](product_case<float>& numbers) {
    const auto size = static_cast<blasint>(numbers.size());
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, size, size, size, 1.0F, numbers.left.data(), size,
                numbers.right.data(), size, 0.0F, numbers.output.data(), size);
  });
}

BENCHMARK(product)->Name("product/openblas")->Apply(product_sizes);

void product_row(benchmark::State& state, const product_options& options) {
  openblas_set_num_threads(1);
  measure_product(
      state,
      [&](product_case<float>& numbers) {
        const auto size = static_cast<blasint>(numbers.size());
        cblas_sgemv(CblasRowMajor, options.transposed ? CblasNoTrans : CblasTrans, size, size, 1.0F,
                    numbers.right.data(), size, numbers.left.data(), 1, 0.0F, numbers.output.data(), 1);
      },
      options);
}
BENCHMARK_CAPTURE(product_row, , row)->Name("product_row/openblas")->Apply(row_sizes);
BENCHMARK_CAPTURE(product_row, , row_transposed)->Name("product_row_transposed/openblas")->Apply(row_sizes);

void batched(benchmark::State& state) {
  openblas_set_num_threads(1);
  measure_product(
      state,
      [](product_case<float>& numbers) {
        const auto size = static_cast<blasint>(numbers.size());
        for (std::size_t i = 0; i < numbers.count(); ++i) {
          const std::size_t at = i * numbers.size() * numbers.size();
          cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, size, size, size, 1.0F,
                      numbers.left.data() + at, size, numbers.right.data() + at, size, 0.0F,
                      numbers.output.data() + at, size);
        }
      },
      batch);
}
BENCHMARK(batched)->Name("batched/openblas")->Apply(batched_size);

}  // namespace

BENCHMARK_MAIN();
