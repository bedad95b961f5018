#include "product.hpp"

#include <dnnl.h>
#include <omp.h>  // for omp_set_num_threads

namespace {

void product(benchmark::State& state) {
  omp_set_num_threads(1);
  measure_product(state, [](product_case& numbers) {
    const auto size = static_cast<dnnl_dim_t>(numbers.size());
    dnnl_sgemm('N', 'N', size, size, size, 1.0F, numbers.left.data(), size, numbers.right.data(), size, 0.0F,
               numbers.output.data(), size);
  });
}

BENCHMARK(product)->Name("product/onednn")->Apply(product_sizes);

void batched(benchmark::State& state) {
  omp_set_num_threads(1);
  measure_product(
      state,
      [](product_case& numbers) {
        const auto size = static_cast<dnnl_dim_t>(numbers.size());
        for (std::size_t i = 0; i < numbers.count(); ++i) {
          const std::size_t at = i * numbers.size() * numbers.size();
          dnnl_sgemm('N', 'N', size, size, size, 1.0F, numbers.left.data() + at, size,
                     numbers.right.data() + at, size, 0.0F, numbers.output.data() + at, size);
        }
      },
      batch_count);
}
BENCHMARK(batched)->Name("batched/onednn")->Apply(batched_size);

}  // namespace

BENCHMARK_MAIN();
