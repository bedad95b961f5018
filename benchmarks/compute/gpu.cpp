// A GPU: weft's kernels beside raw cuBLASLt, copies within the device's memory, and the plain calls of the
// runtime.

#include <weft/async/run.hpp>
#include <weft/async/stream.hpp>
#include <weft/compute/cuda_device.hpp>
#include <weft/compute/cuda_executor.hpp>
#include <weft/compute/device_prefetch.hpp>
#include <weft/compute/float16.hpp>
#include <weft/compute/kernels/adam.hpp>
#include <weft/compute/kernels/elementwise.hpp>
#include <weft/compute/kernels/layer_norm.hpp>
#include <weft/compute/kernels/matmul.hpp>
#include <weft/compute/kernels/reduce.hpp>
#include <weft/compute/kernels/softmax.hpp>

#include <benchmark/benchmark.h>
#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <algorithm>  // for std::max
#include <chrono>     // for std::chrono::steady_clock
#include <cstdio>     // for std::puts
#include <memory>     // for std::make_shared
#include <span>       // for std::span
#include <stdexcept>  // for std::runtime_error
#include <string>     // for std::string
#include <utility>    // for std::move
#include <vector>     // for std::vector

namespace {

using weft::task;
using weft::tensor;

constexpr int together = 20;  // pieces of work under way at a time

void must(cudaError_t status) {
  if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorString(status));
}
void must(cublasStatus_t status) {
  if (status != CUBLAS_STATUS_SUCCESS) throw std::runtime_error(cublasLtGetStatusString(status));
}

template <class T, int Rank>
tensor<T, Rank> on(weft::cuda_executor& gpu, const weft::shape<Rank>& extents, T value) {
  tensor<T, Rank> here(extents);
  std::fill_n(here.data(), here.size(), value);
  tensor<T, Rank> there(extents, gpu.source());
  gpu.submit([&](const weft::cuda_context& context) {
       context.copy(there.data(), here.data(), static_cast<std::size_t>(here.size()) * sizeof(T));
     })
      .get();
  return there;
}

template <class T>
T first_of(weft::cuda_executor& gpu, const T* data) {
  T value{};
  gpu.submit([&](const weft::cuda_context& context) {
       context.copy(&value, data, sizeof value);
       context.synchronize();
     })
      .get();
  return value;
}

// Submits a kernel many times and waits for the last.
template <class Submit>
void keep_busy(const Submit& submit) {
  std::vector<weft::future<void>> calls;
  for (int i = 0; i < together; ++i) calls.push_back(submit());
  for (auto& call : calls) call.get();
}

// Products
// ---------------------------------------------------------------------------------------------------

template <class T>
void product(benchmark::State& state, weft::float_precision precision) {
  weft::cuda_executor gpu;
  const std::int64_t size = state.range(0);
  const auto left = on<T, 2>(gpu, {size, size}, T(0.5F));
  const auto right = on<T, 2>(gpu, {size, size}, T(0.25F));
  auto output = on<T, 2>(gpu, {size, size}, T(0.0F));
  const weft::matmul kernel{.precision = precision};
  for (auto _ : state) {
    keep_busy(
        [&] { return gpu.submit(kernel, left.view().strided(), right.view().strided(), output.view()); });
  }
  if (static_cast<float>(first_of(gpu, output.data())) != static_cast<float>(size) / 8.0F) {
    state.SkipWithError("the product is wrong");
  }
  state.SetItemsProcessed(state.iterations() * together * 2 * size * size * size);
}

template <class T>
void raw_product(benchmark::State& state, cublasComputeType_t how) {
  weft::cuda_executor gpu;  // for its memory
  const std::int64_t size = state.range(0);
  const auto left = on<T, 2>(gpu, {size, size}, T(0.5F));
  const auto right = on<T, 2>(gpu, {size, size}, T(0.25F));
  auto output = on<T, 2>(gpu, {size, size}, T(0.0F));
  const cudaDataType_t type = sizeof(T) == 2 ? CUDA_R_16BF : CUDA_R_32F;
  constexpr std::size_t workspace_bytes = std::size_t{32} << 20;
  tensor<char, 1> workspace({static_cast<std::int64_t>(workspace_bytes)}, gpu.source());
  cublasLtHandle_t handle = nullptr;
  must(cublasLtCreate(&handle));
  cublasLtMatmulDesc_t operation = nullptr;
  must(cublasLtMatmulDescCreate(&operation, how, CUDA_R_32F));
  cublasLtMatrixLayout_t layout = nullptr;
  const auto extent = static_cast<std::uint64_t>(size);
  must(cublasLtMatrixLayoutCreate(&layout, type, extent, extent, size));
  cublasLtMatmulPreference_t preference = nullptr;
  must(cublasLtMatmulPreferenceCreate(&preference));
  must(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                            &workspace_bytes, sizeof workspace_bytes));
  cublasLtMatmulHeuristicResult_t chosen{};
  int found = 0;
  must(cublasLtMatmulAlgoGetHeuristic(handle, operation, layout, layout, layout, layout, preference, 1,
                                      &chosen, &found));
  cudaStream_t stream = nullptr;
  must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  const float one = 1.0F;
  const float zero = 0.0F;
  for (auto _ : state) {
    for (int i = 0; i < together; ++i) {
      must(cublasLtMatmul(handle, operation, &one, right.data(), layout, left.data(), layout, &zero,
                          output.data(), layout, output.data(), layout, &chosen.algo, workspace.data(),
                          workspace_bytes, stream));
    }
    must(cudaStreamSynchronize(stream));
  }
  must(cudaStreamDestroy(stream));
  must(cublasLtMatmulPreferenceDestroy(preference));
  must(cublasLtMatrixLayoutDestroy(layout));
  must(cublasLtMatmulDescDestroy(operation));
  must(cublasLtDestroy(handle));
  state.SetItemsProcessed(state.iterations() * together * 2 * size * size * size);
}

// What the memory limits
// ------------------------------------------------------------------------------------------------------

constexpr std::int64_t rows = 16384;
constexpr std::int64_t columns = 2048;
constexpr std::int64_t elements = rows * columns;  // 128 MiB of floats: more than the device's cache
constexpr auto width = static_cast<std::int64_t>(sizeof(float));

void copy(benchmark::State& state) {
  weft::cuda_executor gpu;
  const auto from = on<float, 1>(gpu, {elements}, 1.0F);
  auto to = on<float, 1>(gpu, {elements}, 0.0F);
  for (auto _ : state) {
    keep_busy([&] {
      return gpu.submit([&](const weft::cuda_context& context) {
        context.copy(to.data(), from.data(), static_cast<std::size_t>(elements * width));
      });
    });
  }
  state.SetBytesProcessed(state.iterations() * together * 2 * elements * width);
}

void add(benchmark::State& state) {
  weft::cuda_executor gpu;
  const auto left = on<float, 1>(gpu, {elements}, 1.5F);
  auto output = on<float, 1>(gpu, {elements}, 0.0F);
  for (auto _ : state)
    keep_busy([&] { return gpu.submit(weft::add{}, left.view(), left.view(), output.view()); });
  if (first_of(gpu, output.data()) != 3.0F) state.SkipWithError("the sum is wrong");
  state.SetBytesProcessed(state.iterations() * together * 2 * elements *
                          width);  // both operands are one array
}

void gelu(benchmark::State& state) {
  weft::cuda_executor gpu;
  const auto input = on<float, 1>(gpu, {elements}, 1.0F);
  auto output = on<float, 1>(gpu, {elements}, 0.0F);
  for (auto _ : state) keep_busy([&] { return gpu.submit(weft::gelu{}, input.view(), output.view()); });
  if (!(first_of(gpu, output.data()) > 0.841F)) state.SkipWithError("it is wrong");
  state.SetBytesProcessed(state.iterations() * together * 2 * elements * width);
}

void sum(benchmark::State& state) {
  weft::cuda_executor gpu;
  const auto input = on<float, 1>(gpu, {elements}, 0.5F);
  auto output = on<float, 1>(gpu, {1}, 0.0F);
  for (auto _ : state) keep_busy([&] { return gpu.submit(weft::reduce_sum{}, input.view(), output.view()); });
  if (first_of(gpu, output.data()) != static_cast<float>(elements) / 2.0F)
    state.SkipWithError("the sum is wrong");
  state.SetBytesProcessed(state.iterations() * together * elements * width);
}

void softmax(benchmark::State& state) {
  weft::cuda_executor gpu;
  const auto input = on<float, 2>(gpu, {rows, columns}, 1.0F);
  auto output = on<float, 2>(gpu, {rows, columns}, 0.0F);
  for (auto _ : state) keep_busy([&] { return gpu.submit(weft::softmax{}, input.view(), output.view()); });
  if (first_of(gpu, output.data()) != 1.0F / static_cast<float>(columns)) state.SkipWithError("it is wrong");
  state.SetBytesProcessed(state.iterations() * together * 2 * elements * width);
}

void layer_norm(benchmark::State& state) {
  weft::cuda_executor gpu;
  const auto input = on<float, 2>(gpu, {rows, columns}, 1.0F);
  const auto scale = on<float, 1>(gpu, {columns}, 1.0F);
  const auto shift = on<float, 1>(gpu, {columns}, 2.0F);
  auto output = on<float, 2>(gpu, {rows, columns}, 0.0F);
  auto mean = on<float, 1>(gpu, {rows}, 0.0F);
  auto inverse = on<float, 1>(gpu, {rows}, 0.0F);
  for (auto _ : state) {
    keep_busy([&] {
      return gpu.submit(weft::layer_norm{}, input.view(), scale.view(), shift.view(), output.view(),
                        mean.view(), inverse.view());
    });
  }
  if (first_of(gpu, output.data()) != 2.0F) state.SkipWithError("it is wrong");
  state.SetBytesProcessed(state.iterations() * together * 2 * elements * width);
}

void adam(benchmark::State& state) {
  weft::cuda_executor gpu;
  auto parameter = on<float, 1>(gpu, {elements}, 1.0F);
  const auto gradient = on<float, 1>(gpu, {elements}, 0.1F);
  auto first = on<float, 1>(gpu, {elements}, 0.0F);
  auto second = on<float, 1>(gpu, {elements}, 0.0F);
  const weft::adam_parameter array{parameter, gradient, first, second};
  for (auto _ : state) {
    keep_busy(
        [&] { return gpu.submit(weft::adam_step{}, std::span<const weft::adam_parameter>(&array, 1)); });
  }
  if (!(first_of(gpu, parameter.data()) < 1.0F)) state.SkipWithError("nothing was learnt");
  state.SetBytesProcessed(state.iterations() * together * 7 * elements * width);
}

// Waiting
// -----------------------------------------------------------------------------------------------------

void await(benchmark::State& state, weft::cuda_notifier notifier) {
  weft::cuda_executor gpu({.notifier = notifier});
  auto number = on<float, 1>(gpu, {1}, 0.0F);
  const auto kernel = [data = number.data()](const weft::cuda_context& context) {
    must(cudaMemsetAsync(data, 0, sizeof(float), context.stream()));
  };
  weft::run([&]() -> task<void> {
    for (auto _ : state) co_await gpu.run(kernel);
  }());
}

void launch_and_synchronize(benchmark::State& state) {
  weft::cuda_executor gpu;
  auto number = on<float, 1>(gpu, {1}, 0.0F);
  cudaStream_t stream = nullptr;
  must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  for (auto _ : state) {
    must(cudaMemsetAsync(number.data(), 0, sizeof(float), stream));
    must(cudaStreamSynchronize(stream));
  }
  must(cudaStreamDestroy(stream));
}

// Copies beside kernels
// ------------------------------------------------------------------------------------------------------

constexpr int batches = 40;
constexpr std::int64_t batch_rows = 4096;  // 32 MiB a batch

// Batches of pinned memory, as a loader that stages its own makes them.
class batch_source {
 public:
  explicit batch_source(std::shared_ptr<weft::staging_pool> staging) : staging_(std::move(staging)) {}
  task<std::optional<tensor<float, 2>>> next() {
    std::optional<tensor<float, 2>> batch;
    if (made_++ < batches) batch.emplace(weft::shape<2>{batch_rows, columns}, staging_);
    co_return batch;
  }

 private:
  std::shared_ptr<weft::staging_pool> staging_;
  int made_ = 0;
};

// Products that take about as long as the copy of their batch.
struct step {
  weft::cuda_executor& gpu;
  const tensor<float, 2>& weight;
  tensor<float, 2>& output;

  task<void> operator()(tensor<float, 2> batch) const {
    const weft::matmul kernel{.precision = weft::float_precision::tf32};
    co_await gpu.run(kernel, batch.view().strided(), weight.view().strided(), output.view());
  }
};

void prefetch(benchmark::State& state) {
  weft::cuda_executor gpu;
  const auto weight = on<float, 2>(gpu, {columns, 8 * columns}, 0.1F);
  auto output = on<float, 2>(gpu, {batch_rows, 8 * columns}, 0.0F);
  const auto staging = std::make_shared<weft::staging_pool>();
  const step compute{gpu, weight, output};
  for (auto _ : state) {
    weft::run([&]() -> task<void> {
      co_await (weft::from(batch_source(staging)) | weft::device_prefetch(gpu, 2) | weft::for_each(compute));
    }());
  }
  state.SetItemsProcessed(state.iterations() * batches);
}

// The longer of copying all batches and computing with all of them, each alone.
void copy_or_compute(benchmark::State& state) {
  using clock = std::chrono::steady_clock;
  weft::cuda_executor gpu;
  const auto weight = on<float, 2>(gpu, {columns, 8 * columns}, 0.1F);
  auto output = on<float, 2>(gpu, {batch_rows, 8 * columns}, 0.0F);
  auto batch = on<float, 2>(gpu, {batch_rows, columns}, 0.0F);
  const tensor<float, 2> pinned({batch_rows, columns}, std::make_shared<weft::staging_pool>());
  const weft::matmul kernel{.precision = weft::float_precision::tf32};
  const auto seconds = [&](const auto& submit) {
    const clock::time_point begin = clock::now();
    std::vector<weft::future<void>> calls;
    for (int i = 0; i < batches; ++i) calls.push_back(submit());
    for (auto& call : calls) call.get();
    return std::chrono::duration<double>(clock::now() - begin).count();
  };
  for (auto _ : state) {
    const double copying = seconds([&] {
      return gpu.submit([&](const weft::cuda_context& context) {
        context.copy(batch.data(), pinned.data(), static_cast<std::size_t>(pinned.size() * width));
      });
    });
    const double computing = seconds(
        [&] { return gpu.submit(kernel, batch.view().strided(), weight.view().strided(), output.view()); });
    state.SetIterationTime(std::max(copying, computing));
  }
  state.SetItemsProcessed(state.iterations() * batches);
}

void add_cases() {
  using weft::bfloat16;
  using weft::cuda_notifier;
  using weft::float_precision;
  const auto sizes = [](benchmark::internal::Benchmark* program) {
    for (const int size : {1024, 4096, 8192}) program->Arg(size);
    program->UseRealTime();
  };
  const auto one = [](const std::string& name, auto run) {
    return benchmark::RegisterBenchmark(name.c_str(), run)->UseRealTime();
  };
  const auto products = [&](const char* type, auto ours, auto raw) {
    sizes(benchmark::RegisterBenchmark((std::string("gpu_product_") + type + "/weft").c_str(), ours));
    sizes(benchmark::RegisterBenchmark((std::string("gpu_product_") + type + "/cublaslt").c_str(), raw));
  };
  products(
      "bf16", [](benchmark::State& state) { product<bfloat16>(state, float_precision::full); },
      [](benchmark::State& state) { raw_product<bfloat16>(state, CUBLAS_COMPUTE_32F); });
  products(
      "tf32", [](benchmark::State& state) { product<float>(state, float_precision::tf32); },
      [](benchmark::State& state) { raw_product<float>(state, CUBLAS_COMPUTE_32F_FAST_TF32); });
  products(
      "fp32", [](benchmark::State& state) { product<float>(state, float_precision::full); },
      [](benchmark::State& state) { raw_product<float>(state, CUBLAS_COMPUTE_32F); });
  const auto limited_by_memory = [&](const std::string& name, auto run) {
    one("gpu_" + name + "/weft", run);
    one("gpu_" + name + "/copy", copy);
  };
  limited_by_memory("add", add);
  limited_by_memory("gelu", gelu);
  limited_by_memory("sum", sum);
  limited_by_memory("softmax", softmax);
  limited_by_memory("layer_norm", layer_norm);
  limited_by_memory("adam", adam);
  const auto waiting = [&](const std::string& name, cuda_notifier notifier) {
    one("gpu_await_" + name + "/weft", [notifier](benchmark::State& state) { await(state, notifier); });
    one("gpu_await_" + name + "/launch_and_synchronize", launch_and_synchronize);
  };
  waiting("polling", cuda_notifier::polling);
  waiting("blocking", cuda_notifier::blocking);
  waiting("callback", cuda_notifier::callback);
  one("gpu_prefetch/weft", prefetch);
  benchmark::RegisterBenchmark("gpu_prefetch/longer_of_copy_and_compute", copy_or_compute)->UseManualTime();
}

}  // namespace

int main(int argc, char** argv) {
  if (weft::cuda_devices().empty()) {
    std::puts("there is no GPU on this machine");
    return 77;
  }
  add_cases();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
