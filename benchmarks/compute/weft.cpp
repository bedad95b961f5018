// weft's side of benchmarks/compute: one thread, no -march flag.

#include "product.hpp"

#include <weft/compute/cpu_executor.hpp>
#include <weft/compute/kernels/elementwise.hpp>
#include <weft/compute/kernels/layer_norm.hpp>
#include <weft/compute/kernels/matmul.hpp>
#include <weft/compute/kernels/reduce.hpp>
#include <weft/compute/kernels/softmax.hpp>

#include <vector>  // for std::vector

namespace {

void product(benchmark::State& state) {
  const weft::cpu_context context;
  measure_product(state, [&](product_case& numbers) {
    const auto size = static_cast<std::int64_t>(numbers.size());
    const weft::tensor_view<const float, 2> left(numbers.left.data(), {size, size});
    const weft::tensor_view<const float, 2> right(numbers.right.data(), {size, size});
    weft::matmul{}(context, left, right, weft::tensor_view<float, 2>(numbers.output.data(), {size, size}));
  });
}
BENCHMARK(product)->Name("product/weft")->Apply(product_sizes);

constexpr std::int64_t rows = 1024;
constexpr std::int64_t columns = 1024;
constexpr std::int64_t large = std::int64_t{1} << 24;  // 64 MiB of floats: more than any cache here

// Rows of 0, 1, 2, ... so that results are known.
weft::tensor<float, 2> counting_rows() {
  weft::tensor<float, 2> result({rows, columns});
  for (std::int64_t i = 0; i < result.size(); ++i)
    result.data()[i] = static_cast<float>(i % columns) / 100.0F;
  return result;
}

void add(benchmark::State& state) {
  const weft::cpu_context context;
  weft::tensor<float, 1> left({large});
  weft::tensor<float, 1> output({large});
  for (float& element : left.elements()) element = 1.5F;
  for (auto _ : state) weft::add{}(context, left, left, output.view());
  if (output(large - 1) != 3.0F) state.SkipWithError("the sum is wrong");
  state.SetBytesProcessed(state.iterations() * large * 3 * static_cast<std::int64_t>(sizeof(float)));
}
BENCHMARK(add)->Name("add/weft")->UseRealTime();

void sum(benchmark::State& state) {
  const weft::cpu_context context;
  weft::tensor<float, 1> input({large});
  weft::tensor<float, 1> output({1});
  for (float& element : input.elements()) element = 0.5F;
  for (auto _ : state) weft::reduce_sum{}(context, input, output.view());
  if (output(0) != static_cast<float>(large) / 2.0F) state.SkipWithError("the sum is wrong");
  state.SetBytesProcessed(state.iterations() * large * static_cast<std::int64_t>(sizeof(float)));
}
BENCHMARK(sum)->Name("sum/weft")->UseRealTime();

void softmax(benchmark::State& state) {
  const weft::cpu_context context;
  const weft::tensor<float, 2> input = counting_rows();
  weft::tensor<float, 2> output({rows, columns});
  for (auto _ : state) weft::softmax{}(context, input, output);
  if (!(output(3, columns - 1) > 0.009F && output(3, columns - 1) < 0.011F))
    state.SkipWithError("it is wrong");
  state.SetItemsProcessed(state.iterations() * rows * columns);
}
BENCHMARK(softmax)->Name("softmax/weft")->UseRealTime();

void layer_norm(benchmark::State& state) {
  const weft::cpu_context context;
  const weft::tensor<float, 2> input = counting_rows();
  weft::tensor<float, 1> scale({columns});
  for (float& element : scale.elements()) element = 1.0F;
  const weft::tensor<float, 1> shift({columns});
  weft::tensor<float, 2> output({rows, columns});
  weft::tensor<float, 1> mean({rows});
  weft::tensor<float, 1> inverse({rows});
  for (auto _ : state) weft::layer_norm{}(context, input, scale, shift, output, mean, inverse);
  if (!(output(3, columns - 1) > 1.72F && output(3, columns - 1) < 1.74F)) state.SkipWithError("it is wrong");
  state.SetItemsProcessed(state.iterations() * rows * columns);
}
BENCHMARK(layer_norm)->Name("layer_norm/weft")->UseRealTime();

// What submitting a kernel that does nothing costs, many under way at a time.
void dispatch(benchmark::State& state) {
  constexpr int together = 1000;
  weft::cpu_executor executor({.threads = 1});
  std::vector<weft::future<void>> calls(together);
  for (auto _ : state) {
    for (auto& call : calls) call = executor.submit([](const weft::cpu_context&) {});
    for (auto& call : calls) call.get();
  }
  state.SetItemsProcessed(state.iterations() * together);
}
BENCHMARK(dispatch)->Name("dispatch/weft")->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
