#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::int64_t
#include <vector>   // for std::vector

/// What is multiplied besides pairs of square matrices.
struct product_options {
  std::size_t count = 1;    ///< pairs, one after the other
  bool row = false;         ///< the left matrix is one row
  bool transposed = false;  ///< the right one is
};

/// Matrices of small whole numbers, whose product is exact in float, and a check of some of it, rounded to
/// Number.
template <class Number>
class product_case {
 public:
  explicit product_case(std::size_t size, const product_options& options = {})
      : left(options.count * (options.row ? 1 : size) * size),
        right(options.count * size * size),
        output(left.size()),
        size_(size),
        options_(options) {
    for (std::size_t i = 0; i < left.size(); ++i) left[i] = Number(static_cast<float>(i * 7 % 5) - 2.0F);
    for (std::size_t i = 0; i < right.size(); ++i) right[i] = Number(static_cast<float>(i * 3 % 7) - 3.0F);
  }

  std::size_t size() const { return size_; }
  std::size_t count() const { return options_.count; }

  /// Multiplications and additions.
  double work() const { return 2.0 * static_cast<double>(left.size()) * static_cast<double>(size_); }

  /// Whether rows and columns here and there are right.
  bool correct() const {
    for (std::size_t row = 0; row < left.size() / size_; row += 61) {
      const std::size_t first = row / size_ * size_;  // of this pair
      for (std::size_t column = 0; column < size_; column += 47) {
        float sum = 0.0F;
        for (std::size_t k = 0; k < size_; ++k) {
          const std::size_t at =
              options_.transposed ? (first + column) * size_ + k : (first + k) * size_ + column;
          sum += static_cast<float>(left[row * size_ + k]) * static_cast<float>(right[at]);
        }
        if (static_cast<float>(output[row * size_ + column]) != static_cast<float>(Number(sum))) return false;
      }
    }
    return true;
  }

  std::vector<Number> left, right, output;

 private:
  std::size_t size_;
  product_options options_;
};

/// Measures multiply(case) for the size that the benchmark was given; items are multiplications and
/// additions.
template <class Number = float, class Multiply>
void measure_product(benchmark::State& state, const Multiply& multiply, const product_options& options = {}) {
  product_case<Number> numbers(static_cast<std::size_t>(state.range(0)), options);
  for (auto _ : state) {
    multiply(numbers);
    benchmark::ClobberMemory();
  }
  if (!numbers.correct()) state.SkipWithError("the product is wrong");
  state.SetItemsProcessed(static_cast<std::int64_t>(numbers.work()) * state.iterations());
}

/// The batched case, and a row by a matrix and by a transposed one.
inline constexpr product_options batch{64, false, false};
inline constexpr product_options row{1, true, false};
inline constexpr product_options row_transposed{1, true, true};

/// The sizes of all programs.
inline void product_sizes(benchmark::internal::Benchmark* program) {
  for (const int size : {256, 512, 1024, 2048}) program->Arg(size);
  program->UseRealTime();
}

/// The sizes of a row: the matrix lies in a cache, and does not.
inline void row_sizes(benchmark::internal::Benchmark* program) {
  for (const int size : {512, 4096}) program->Arg(size);
  program->UseRealTime();
}

/// The size of the batched case.
inline void batched_size(benchmark::internal::Benchmark* program) {
  program->Arg(64)->UseRealTime();
}
