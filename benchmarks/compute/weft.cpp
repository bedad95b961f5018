// weft's side of benchmarks/compute: one thread unless the name says otherwise, no -march flag.

#include "product.hpp"

#include <weft/compute/cpu_executor.hpp>
#include <weft/compute/kernels/adam.hpp>
#include <weft/compute/kernels/conv2d.hpp>
#include <weft/compute/kernels/elementwise.hpp>
#include <weft/compute/kernels/layer_norm.hpp>
#include <weft/compute/kernels/matmul.hpp>
#include <weft/compute/kernels/reduce.hpp>
#include <weft/compute/kernels/softmax.hpp>
#include <weft/pool/thread_pool.hpp>

#include <vector>  // for std::vector

namespace {

void multiply(const weft::cpu_context& context, product_case& numbers) {
  const auto size = static_cast<std::int64_t>(numbers.size());
  const weft::tensor_view<const float, 2> left(numbers.left.data(), {size, size});
  const weft::tensor_view<const float, 2> right(numbers.right.data(), {size, size});
  weft::matmul{}(context, left, right, weft::tensor_view<float, 2>(numbers.output.data(), {size, size}));
}

void product(benchmark::State& state) {
  const weft::cpu_context context;
  measure_product(state, [&](product_case& numbers) { multiply(context, numbers); });
}
BENCHMARK(product)->Name("product/weft")->Apply(product_sizes);

void product_two_threads(benchmark::State& state) {
  weft::thread_pool pool(2);
  const weft::cpu_context context(pool.arena());
  measure_product(state, [&](product_case& numbers) { multiply(context, numbers); });
}
BENCHMARK(product_two_threads)->Name("product_two_threads/weft")->Apply(product_sizes);

void batched(benchmark::State& state) {
  const weft::cpu_context context;
  measure_product(
      state,
      [&](product_case& numbers) {
        const auto size = static_cast<std::int64_t>(numbers.size());
        const weft::shape<3> extents{static_cast<std::int64_t>(numbers.count()), size, size};
        const weft::tensor_view<const float, 3> left(numbers.left.data(), extents);
        const weft::tensor_view<const float, 3> right(numbers.right.data(), extents);
        weft::matmul{}(context, left, right, weft::tensor_view<float, 3>(numbers.output.data(), extents));
      },
      batch_count);
}
BENCHMARK(batched)->Name("batched/weft")->Apply(batched_size);

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

constexpr std::int64_t images = 32;
constexpr std::int64_t planes = 32;
constexpr std::int64_t side = 28;
// Multiplications and additions of a 3 x 3 convolution of so many images from planes to planes.
constexpr std::int64_t conv2d_work = 2 * images * planes * planes * 9 * side * side;

// Images and weights of ones, so that an inner output is the number of what is summed.
void conv2d(benchmark::State& state) {
  const weft::cpu_context context;
  const weft::conv2d kernel{.options = {.padding = 1}};
  weft::tensor<float, 4> input({images, planes, side, side});
  weft::tensor<float, 4> weight({planes, planes, 3, 3});
  for (float& element : input.elements()) element = 1.0F;
  for (float& element : weight.elements()) element = 1.0F;
  const weft::tensor<float, 1> bias({planes});
  weft::tensor<float, 4> output(input.extents());
  for (auto _ : state) kernel(context, input, weight, bias, output);
  if (output(3, 2, 1, 1) != 9.0F * planes) state.SkipWithError("it is wrong");
  state.SetItemsProcessed(state.iterations() * conv2d_work);
}
BENCHMARK(conv2d)->Name("conv2d/weft")->UseRealTime();

void conv2d_backward(benchmark::State& state) {
  const weft::cpu_context context;
  const weft::conv2d_backward kernel{.options = {.padding = 1}};
  weft::tensor<float, 4> input({images, planes, side, side});
  weft::tensor<float, 4> weight({planes, planes, 3, 3});
  for (float& element : input.elements()) element = 1.0F;
  for (float& element : weight.elements()) element = 1.0F;
  weft::tensor<float, 4> input_gradient(input.extents());
  weft::tensor<float, 4> weight_gradient(weight.extents());
  weft::tensor<float, 1> bias_gradient({planes});
  for (auto _ : state) kernel(context, input, weight, input, input_gradient, weight_gradient, bias_gradient);
  if (input_gradient(3, 2, 1, 1) != 9.0F * planes ||
      weight_gradient(3, 2, 1, 1) != static_cast<float>(images * side * side)) {
    state.SkipWithError("it is wrong");
  }
  state.SetItemsProcessed(state.iterations() * 2 * conv2d_work);
}
BENCHMARK(conv2d_backward)->Name("conv2d_backward/weft")->UseRealTime();

// Many parameters: what four arrays cost that no cache holds.
void adam(benchmark::State& state) {
  const weft::cpu_context context;
  weft::tensor<float, 1> parameter({large});
  weft::tensor<float, 1> gradient({large});
  weft::tensor<float, 1> first({large});
  weft::tensor<float, 1> second({large});
  for (float& element : gradient.elements()) element = 0.5F;
  const weft::adam_parameter array{parameter, gradient, first, second};
  std::int64_t step = 0;
  for (auto _ : state) weft::adam_step{.step = ++step}(context, {&array, 1});
  const float moved = parameter(large - 1) / static_cast<float>(step);
  if (!(moved > -0.00101F && moved < -0.00099F)) state.SkipWithError("it is wrong");
  state.SetItemsProcessed(state.iterations() * large);
}
BENCHMARK(adam)->Name("adam/weft")->UseRealTime();

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
