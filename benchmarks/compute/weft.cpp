// weft's side of benchmarks/compute: one thread unless the name says otherwise, no -march flag.

#include "bandwidth.hpp"
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

#include <algorithm>  // for std::max
#include <barrier>    // for std::barrier
#include <chrono>     // for std::chrono::steady_clock
#include <cstddef>    // for std::size_t
#include <thread>     // for std::thread
#include <vector>     // for std::vector

namespace {

template <class Number>
void multiply(const weft::cpu_context& context, product_case<Number>& numbers) {
  const auto size = static_cast<std::int64_t>(numbers.size());
  const weft::tensor_view<const Number, 2> left(numbers.left.data(), {size, size});
  const weft::tensor_view<const Number, 2> right(numbers.right.data(), {size, size});
  weft::matmul{}(context, left, right, weft::tensor_view<Number, 2>(numbers.output.data(), {size, size}));
}

void product(benchmark::State& state) {
  const weft::cpu_context context;
  measure_product(state, [&](product_case<float>& numbers) { multiply(context, numbers); });
}
BENCHMARK(product)->Name("product/weft")->Apply(product_sizes);

// Operations a second of two threads with a product each: what this machine gives two of them just now.
template <class Number>
double rate_of_independent_products(std::size_t size) {
  using clock = std::chrono::steady_clock;
  const double operations = 2.0 * static_cast<double>(size * size * size);
  const int rounds = std::max(1, static_cast<int>(2e10 / operations));
  const weft::cpu_context context;
  std::vector<product_case<Number>> numbers(2, product_case<Number>(size));
  std::barrier begin(2);
  const auto work = [&](product_case<Number>& own) {
    multiply(context, own);
    begin.arrive_and_wait();
    const clock::time_point start = clock::now();
    for (int round = 0; round < rounds; ++round) multiply(context, own);
    return start;
  };
  std::thread other([&] { work(numbers[0]); });
  const clock::time_point start = work(numbers[1]);
  other.join();
  return 2.0 * rounds * operations / std::chrono::duration<double>(clock::now() - start).count();
}

template <class Number>
void measure_two_threads(benchmark::State& state) {
  weft::thread_pool pool(2);
  const weft::cpu_context context(pool.arena());
  measure_product<Number>(state, [&](auto& numbers) { multiply(context, numbers); });
  state.counters["limit"] = rate_of_independent_products<Number>(static_cast<std::size_t>(state.range(0)));
}

void product_two_threads(benchmark::State& state) {
  measure_two_threads<float>(state);
}
BENCHMARK(product_two_threads)->Name("product_two_threads/weft")->Apply(product_sizes);

void product_bf16(benchmark::State& state) {
  const weft::cpu_context context;
  measure_product<weft::bfloat16>(state, [&](auto& numbers) { multiply(context, numbers); });
}
BENCHMARK(product_bf16)->Name("product_bf16/weft")->Apply(product_sizes);

void product_bf16_two_threads(benchmark::State& state) {
  measure_two_threads<weft::bfloat16>(state);
}
BENCHMARK(product_bf16_two_threads)->Name("product_bf16_two_threads/weft")->Apply(product_sizes);

void product_row(benchmark::State& state, const product_options& options) {
  const weft::cpu_context context;
  measure_product(
      state,
      [&](product_case<float>& numbers) {
        const auto size = static_cast<std::int64_t>(numbers.size());
        const weft::tensor_view<const float, 2> left(numbers.left.data(), {1, size});
        const weft::tensor_view<const float, 2> right(numbers.right.data(), {size, size});
        weft::matmul{}(context, left, options.transposed ? right.transpose() : right.strided(),
                       weft::tensor_view<float, 2>(numbers.output.data(), {1, size}));
      },
      options);
}
BENCHMARK_CAPTURE(product_row, , row)->Name("product_row/weft")->Apply(row_sizes);
BENCHMARK_CAPTURE(product_row, , row_transposed)->Name("product_row_transposed/weft")->Apply(row_sizes);

void batched(benchmark::State& state) {
  const weft::cpu_context context;
  measure_product(
      state,
      [&](product_case<float>& numbers) {
        const auto size = static_cast<std::int64_t>(numbers.size());
        const weft::shape<3> extents{static_cast<std::int64_t>(numbers.count()), size, size};
        const weft::tensor_view<const float, 3> left(numbers.left.data(), extents);
        const weft::tensor_view<const float, 3> right(numbers.right.data(), extents);
        weft::matmul{}(context, left, right, weft::tensor_view<float, 3>(numbers.output.data(), extents));
      },
      batch);
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
  state.counters["limit"] = add_bandwidth(left.data(), output.data(), large);
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
  state.counters["limit"] = read_bandwidth(input.data(), large);
  state.SetBytesProcessed(state.iterations() * large * static_cast<std::int64_t>(sizeof(float)));
}
BENCHMARK(sum)->Name("sum/weft")->UseRealTime();

// A kernel over a matrix of 64 MiB of small whole numbers, with the result that it must give.
template <class Kernel, class Result>
void reduce_matrix(benchmark::State& state, const Kernel& kernel, const weft::shape<2>& extents,
                   Result expected) {
  const weft::cpu_context context;
  weft::tensor<float, 2> input(extents);
  for (std::int64_t i = 0; i < large; ++i) input.data()[i] = static_cast<float>(i % 4);
  weft::tensor<Result, 1> output({extents[kernel.axis == 0 ? 1 : 0]});
  for (auto _ : state) kernel(context, input, output.view());
  if (output(3) != expected) state.SkipWithError("the result is wrong");
  state.SetBytesProcessed(state.iterations() * large * static_cast<std::int64_t>(sizeof(float)));
  state.counters["limit"] = read_bandwidth(input.data(), large);
}

constexpr std::int64_t short_row = 64;

void sum_rows(benchmark::State& state) {
  reduce_matrix(state, weft::reduce_sum{{1}}, {large / short_row, short_row}, 1.5F * short_row);
}
BENCHMARK(sum_rows)->Name("sum_rows/weft")->UseRealTime();

void sum_columns(benchmark::State& state) {
  reduce_matrix(state, weft::reduce_sum{{0}}, {4096, 4096}, 3.0F * 4096);
}
BENCHMARK(sum_columns)->Name("sum_columns/weft")->UseRealTime();

void max_columns(benchmark::State& state) {
  reduce_matrix(state, weft::reduce_max{{0}}, {4096, 4096}, 3.0F);
}
BENCHMARK(max_columns)->Name("max_columns/weft")->UseRealTime();

void argmax_rows(benchmark::State& state) {
  reduce_matrix(state, weft::argmax{{1}}, {large / short_row, short_row}, std::int64_t{3});
}
BENCHMARK(argmax_rows)->Name("argmax_rows/weft")->UseRealTime();

// A row added to every row of a matrix of short rows; both matrices count.
void add_row(benchmark::State& state) {
  const weft::cpu_context context;
  weft::tensor<float, 2> matrix({large / short_row, short_row});
  weft::tensor<float, 1> row({short_row});
  weft::tensor<float, 2> output(matrix.extents());
  for (float& element : matrix.elements()) element = 1.5F;
  for (float& element : row.elements()) element = 2.0F;
  for (auto _ : state) weft::add{}(context, matrix, row, output.view());
  if (output(3, 3) != 3.5F) state.SkipWithError("the sum is wrong");
  state.SetBytesProcessed(state.iterations() * large * 2 * static_cast<std::int64_t>(sizeof(float)));
  state.counters["limit"] = add_bandwidth(matrix.data(), output.data(), large) * 2.0 / 3.0;
}
BENCHMARK(add_row)->Name("add_row/weft")->UseRealTime();

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

// The 3 x 3 convolutions of ResNet-18, named by the side of their images: with half the side the planes are
// twice as many.
constexpr std::int64_t batch_images = 8;

struct layer {
  layer(const benchmark::State& state, std::int64_t images_of_it, std::int64_t stride)
      : images(images_of_it),
        side(state.range(0)),
        planes(56 * 64 / side),
        kernel{.options = {.stride = stride, .padding = 1}},
        input({images, planes, side, side}),
        weight({planes * stride, planes, 3, 3}),
        bias({planes * stride}),
        output({images, planes * stride, side / stride, side / stride}) {
    for (float& element : input.elements()) element = 1.0F;
    for (float& element : weight.elements()) element = 1.0F;
    for (float& element : output.elements()) element = 1.0F;
  }

  // Multiplications and additions.
  double work() const { return 2.0 * static_cast<double>(output.size() * planes * 9); }

  std::int64_t images, side, planes;
  weft::conv2d kernel;
  weft::tensor<float, 4> input, weight;
  weft::tensor<float, 1> bias;
  weft::tensor<float, 4> output;
};

void measure_layer(benchmark::State& state, const weft::cpu_context& context, layer& one) {
  for (auto _ : state) one.kernel(context, one.input, one.weight, one.bias, one.output);
  if (one.output(one.images - 1, 2, 1, 1) != 9.0F * static_cast<float>(one.planes))
    state.SkipWithError("it is wrong");
  state.SetItemsProcessed(static_cast<std::int64_t>(static_cast<double>(state.iterations()) * one.work()));
}

void conv2d(benchmark::State& state) {
  layer one(state, batch_images, 1);
  measure_layer(state, weft::cpu_context(), one);
}
BENCHMARK(conv2d)->Name("conv2d/weft")->Arg(56)->Arg(28)->Arg(14)->Arg(7)->UseRealTime();

void conv2d_strided(benchmark::State& state) {
  layer one(state, batch_images, 2);
  measure_layer(state, weft::cpu_context(), one);
}
BENCHMARK(conv2d_strided)->Name("conv2d_strided/weft")->Arg(56)->Arg(28)->Arg(14)->UseRealTime();

void conv2d_image_two_threads(benchmark::State& state) {
  weft::thread_pool pool(2);
  layer one(state, 1, 1);
  measure_layer(state, weft::cpu_context(pool.arena()), one);
}
BENCHMARK(conv2d_image_two_threads)
    ->Name("conv2d_image_two_threads/weft")
    ->Arg(56)
    ->Arg(28)
    ->Arg(14)
    ->Arg(7)
    ->UseRealTime();

void conv2d_backward(benchmark::State& state) {
  const weft::cpu_context context;
  layer one(state, batch_images, 1);
  const weft::conv2d_backward kernel{.options = one.kernel.options};
  weft::tensor<float, 4> input_gradient(one.input.extents());
  weft::tensor<float, 4> weight_gradient(one.weight.extents());
  weft::tensor<float, 1> bias_gradient(one.bias.extents());
  for (auto _ : state)
    kernel(context, one.input, one.weight, one.output, input_gradient, weight_gradient, bias_gradient);
  if (input_gradient(3, 2, 1, 1) != 9.0F * static_cast<float>(one.planes) ||
      weight_gradient(3, 2, 1, 1) != static_cast<float>(batch_images * one.side * one.side)) {
    state.SkipWithError("it is wrong");
  }
  state.SetItemsProcessed(
      static_cast<std::int64_t>(2 * static_cast<double>(state.iterations()) * one.work()));
}
BENCHMARK(conv2d_backward)->Name("conv2d_backward/weft")->Arg(56)->Arg(28)->Arg(14)->Arg(7)->UseRealTime();

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
  state.counters["limit"] =
      update_rate(parameter.data(), first.data(), second.data(), gradient.data(), large);
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
