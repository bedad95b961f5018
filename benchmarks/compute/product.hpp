#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::int64_t
#include <vector>   // for std::vector

/// Pairs of square matrices of small whole numbers, whose product is exact in float, one pair after the
/// other, and a check of some of it, rounded to Number.
template <class Number>
class product_case {
 public:
  explicit product_case(std::size_t size, std::size_t count = 1)
      : left(count * size * size),
        right(count * size * size),
        output(count * size * size),
        size_(size),
        count_(count) {
    for (std::size_t i = 0; i < left.size(); ++i) {
      left[i] = Number(static_cast<float>(i * 7 % 5) - 2.0F);
      right[i] = Number(static_cast<float>(i * 3 % 7) - 3.0F);
    }
  }

  std::size_t size() const { return size_; }
  std::size_t count() const { return count_; }

  /// Whether rows and columns here and there are right.
  bool correct() const {
    for (std::size_t row = 0; row < count_ * size_; row += 61) {
      const std::size_t first = row / size_ * size_;  // of this pair
      for (std::size_t column = 0; column < size_; column += 47) {
        float sum = 0.0F;
        for (std::size_t k = 0; k < size_; ++k) {
          sum += static_cast<float>(left[row * size_ + k]) *
                 static_cast<float>(right[(first + k) * size_ + column]);
        }
        if (static_cast<float>(output[row * size_ + column]) != static_cast<float>(Number(sum))) return false;
      }
    }
    return true;
  }

  std::vector<Number> left, right, output;

 private:
  std::size_t size_;
  std::size_t count_;
};

/// Measures multiply(case) for so many pairs of the size that the benchmark was given; items are
/// multiplications and additions.
template <class Number = float, class Multiply>
void measure_product(benchmark::State& state, const Multiply& multiply, std::size_t count = 1) {
  product_case<Number> numbers(static_cast<std::size_t>(state.range(0)), count);
  for (auto _ : state) {
    multiply(numbers);
    benchmark::ClobberMemory();
  }
  if (!numbers.correct()) state.SkipWithError("the product is wrong");
  const auto size = static_cast<double>(numbers.size());
  state.SetItemsProcessed(static_cast<std::int64_t>(2.0 * size * size * size) *
                          static_cast<std::int64_t>(count) * state.iterations());
}

/// How many pairs the batched case multiplies.
inline constexpr std::size_t batch_count = 64;

/// The sizes of all programs.
inline void product_sizes(benchmark::internal::Benchmark* program) {
  for (const int size : {256, 512, 1024, 2048}) program->Arg(size);
  program->UseRealTime();
}

/// The size of the batched case.
inline void batched_size(benchmark::internal::Benchmark* program) {
  program->Arg(64)->UseRealTime();
}
