#include "product.hpp"

#include <cblas.h>

namespace {

void product(benchmark::State& state) {
  openblas_set_num_threads(1);
  measure_product(state, [](product_case& numbers) {
    const auto size = static_cast<blasint>(numbers.size());
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, size, size, size, 1.0F, numbers.left.data(), size,
                numbers.right.data(), size, 0.0F, numbers.output.data(), size);
  });
}

BENCHMARK(product)->Name("product/openblas")->Apply(product_sizes);

}  // namespace

BENCHMARK_MAIN();
