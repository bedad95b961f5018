// Programs that must not compile, one for each macro, and without a macro one that must.
#include <weft/compute/cpu_executor.hpp>
#include <weft/compute/kernels/matmul.hpp>
#include <weft/compute/shared_tensor.hpp>
#include <weft/compute/tensor.hpp>

#include <cstdint>
#include <string>

int main() {
  weft::cpu_executor executor;
  weft::tensor<float, 2> left({2, 3});
  weft::tensor<float, 2> right({3, 4});
  weft::tensor<float, 2> output({2, 4});
#if defined(RANK)
  weft::tensor<float, 3> batches({1, 2, 3});
  executor.submit(weft::matmul{}, batches.view(), right.view(), output.view()).get();
#elif defined(RANK_OF_THE_BIAS)
  executor.submit(weft::matmul{}, left.view(), right.view(), right.view(), output.view()).get();
#elif defined(DTYPE)
  weft::tensor<double, 2> doubles({2, 3});
  executor.submit(weft::matmul{}, doubles.view(), right.view(), output.view()).get();
#elif defined(DTYPE_OF_THE_OUTPUT)
  weft::tensor<std::int32_t, 2> integers({2, 4});
  executor.submit(weft::matmul{}, left.view(), right.view(), integers.view()).get();
#elif defined(OUTPUT_TO_READ)
  const weft::tensor<float, 2>& fixed = output;
  executor.submit(weft::matmul{}, left.view(), right.view(), fixed.view()).get();
#elif defined(TENSOR_ITSELF)
  executor.submit(weft::matmul{}, left.view(), right.view(), output).get();
#elif defined(NO_AXES)
  weft::tensor<float, 0> number;
#elif defined(ELEMENTS_THAT_OWN)
  weft::tensor<std::string, 1> words({2});
#elif defined(EXTENTS)
  weft::tensor<float, 3> batches({2, 3});
  weft::tensor<float, 1> row({2, 3});
  weft::tensor<float, 2> copied({6}, left.elements());
  weft::tensor<float, 3> elsewhere({6}, nullptr);
  weft::tensor_view<float, 4> view(left.data(), {2, 3});
  weft::strided_view<float, 2> strided(left.data(), {1, 2, 3}, {6, 3, 1});
  weft::shared_tensor<float, 4> shared({6});
  view.reshape<5>({6});
  strided.broadcast_to<5>({2, 3});
#elif defined(INDICES)
  left.view()(1) = 0.0F;
  left.transpose().at(1, 2, 0) = 0.0F;
#else
  executor.submit(weft::matmul{}, left.view(), right.view(), output.view()).get();
#endif
}
