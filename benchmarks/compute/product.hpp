#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::int64_t
#include <vector>   // for std::vector

/// Square matrices of small whole numbers, whose product is exact in float, and a check of some of it.
class product_case {
 public:
  explicit product_case(std::size_t size)
      : left(size * size), right(size * size), output(size * size), size_(size) {
    for (std::size_t i = 0; i < left.size(); ++i) {
      left[i] = static_cast<float>(i * 7 % 5) - 2.0F;
      right[i] = static_cast<float>(i * 3 % 7) - 3.0F;
    }
  }

  std::size_t size() const { return size_; }

  /// Whether rows and columns here and there are right.
  bool correct() const {
    for (std::size_t row = 0; row < size_; row += 61) {
      for (std::size_t column = 0; column < size_; column += 47) {
        float sum = 0.0F;
        for (std::size_t k = 0; k < size_; ++k) sum += left[row * size_ + k] * right[k * size_ + column];
        if (output[row * size_ + column] != sum) return false;
      }
    }
    return true;
  }

  std::vector<float> left, right, output;

 private:
  std::size_t size_;
};

/// Measures multiply(case) for the size that the benchmark was given; items are multiplications and
/// additions.
template <class Multiply>
void measure_product(benchmark::State& state, const Multiply& multiply) {
  product_case numbers(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    multiply(numbers);
    benchmark::ClobberMemory();
  }
  if (!numbers.correct()) state.SkipWithError("the product is wrong");
  const auto size = static_cast<double>(numbers.size());
  state.SetItemsProcessed(static_cast<std::int64_t>(2.0 * size * size * size) * state.iterations());
}

/// The sizes of all programs.
inline void product_sizes(benchmark::internal::Benchmark* program) {
  for (const int size : {256, 512, 1024, 2048}) program->Arg(size);
  program->UseRealTime();
}
