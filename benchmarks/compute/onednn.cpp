#include "product.hpp"

#include <omp.h>  // for omp_set_num_threads
#include <dnnl.hpp>

#include <cstdint>  // for std::uint16_t, std::uint32_t
#include <cstring>  // for std::memcpy

namespace {

void product(benchmark::State& state) {
  omp_set_num_threads(1);
  measure_product(state, [](product_case<float>& numbers) {
    const auto size = static_cast<dnnl_dim_t>(numbers.size());
    dnnl_sgemm('N', 'N', size, size, size, 1.0F, numbers.left.data(), size, numbers.right.data(), size, 0.0F,
               numbers.output.data(), size);
  });
}

BENCHMARK(product)->Name("product/onednn")->Apply(product_sizes);

// A bfloat16, rounded to the nearest.
struct word {
  std::uint16_t bits = 0;
  word() = default;
  explicit word(float value) {
    std::uint32_t all = 0;
    std::memcpy(&all, &value, sizeof all);
    bits = static_cast<std::uint16_t>((all + 0x7fffU + ((all >> 16) & 1U)) >> 16);
  }
  explicit operator float() const {
    const std::uint32_t all = std::uint32_t{bits} << 16;
    float value = 0.0F;
    std::memcpy(&value, &all, sizeof value);
    return value;
  }
};

void product_bf16(benchmark::State& state) {
  omp_set_num_threads(1);
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const dnnl::memory::desc square({state.range(0), state.range(0)}, dnnl::memory::data_type::bf16,
                                  dnnl::memory::format_tag::ab);
  const dnnl::matmul multiply(dnnl::matmul::primitive_desc({square, square, square}, engine));
  measure_product<word>(state, [&](product_case<word>& numbers) {
    multiply.execute(stream, {{DNNL_ARG_SRC, dnnl::memory(square, engine, numbers.left.data())},
                              {DNNL_ARG_WEIGHTS, dnnl::memory(square, engine, numbers.right.data())},
                              {DNNL_ARG_DST, dnnl::memory(square, engine, numbers.output.data())}});
    stream.wait();
  });
}
BENCHMARK(product_bf16)->Name("product_bf16/onednn")->Apply(product_sizes);

void product_row(benchmark::State& state, const product_options& options) {
  omp_set_num_threads(1);
  measure_product(
      state,
      [&](product_case<float>& numbers) {
        const auto size = static_cast<dnnl_dim_t>(numbers.size());
        dnnl_sgemm('N', options.transposed ? 'T' : 'N', 1, size, size, 1.0F, numbers.left.data(), size,
                   numbers.right.data(), size, 0.0F, numbers.output.data(), size);
      },
      options);
}
BENCHMARK_CAPTURE(product_row, , row)->Name("product_row/onednn")->Apply(row_sizes);
BENCHMARK_CAPTURE(product_row, , row_transposed)->Name("product_row_transposed/onednn")->Apply(row_sizes);

void batched(benchmark::State& state) {
  omp_set_num_threads(1);
  measure_product(
      state,
      [](product_case<float>& numbers) {
        const auto size = static_cast<dnnl_dim_t>(numbers.size());
        for (std::size_t i = 0; i < numbers.count(); ++i) {
          const std::size_t at = i * numbers.size() * numbers.size();
          dnnl_sgemm('N', 'N', size, size, size, 1.0F, numbers.left.data() + at, size,
                     numbers.right.data() + at, size, 0.0F, numbers.output.data() + at, size);
        }
      },
      batch);
}
BENCHMARK(batched)->Name("batched/onednn")->Apply(batched_size);

}  // namespace

BENCHMARK_MAIN();
