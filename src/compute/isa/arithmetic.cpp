#include <compute/isa/arithmetic.hpp>
#include <compute/isa/math.hpp>

// Loops that the compiler turns into vector code: no aliasing is declared by __restrict where it helps, and
// sums run in many accumulators whose number does not depend on the data.

namespace weft::detail::WEFT_ISA {
namespace {

template <class T, class Operation>
void binary_loop(const binary_arguments& arguments, const Operation& apply) {
  const T* left = static_cast<const T*>(arguments.left);
  const T* right = static_cast<const T*>(arguments.right);
  T* output = static_cast<T*>(arguments.output);
  const size count = arguments.count;
  const size left_step = arguments.left_step;
  const size right_step = arguments.right_step;
  if (left_step == 1 && right_step == 1) {
    for (size i = 0; i < count; ++i) output[i] = apply(left[i], right[i]);
  } else if (left_step == 1 && right_step == 0) {
    const T value = *right;
    for (size i = 0; i < count; ++i) output[i] = apply(left[i], value);
  } else if (left_step == 0 && right_step == 1) {
    const T value = *left;
    for (size i = 0; i < count; ++i) output[i] = apply(value, right[i]);
  } else {
    for (size i = 0; i < count; ++i) output[i] = apply(left[i * left_step], right[i * right_step]);
  }
}

template <class T>
void binary_of(const binary_arguments& arguments) {
  switch (arguments.operation) {
    case binary_operation::add:
      return binary_loop<T>(arguments, [](T a, T b) { return a + b; });
    case binary_operation::subtract:
      return binary_loop<T>(arguments, [](T a, T b) { return a - b; });
    case binary_operation::multiply:
      return binary_loop<T>(arguments, [](T a, T b) { return a * b; });
    case binary_operation::divide:
      return binary_loop<T>(arguments, [](T a, T b) { return a / b; });
    case binary_operation::maximum:
      return binary_loop<T>(arguments, [](T a, T b) { return a > b || not_a_number(a) ? a : b; });
    case binary_operation::minimum:
      return binary_loop<T>(arguments, [](T a, T b) { return a < b || not_a_number(a) ? a : b; });
  }
}

template <class Function>
void unary_loop(const float* input, float* output, size count, const Function& apply) {
  size i = 0;
  for (; i + lanes <= count; i += lanes) store(output + i, apply(load(input + i)));
  if (i < count) store_some(output + i, apply(load_some(input + i, count - i)), count - i);
}

// So many accumulators hide the latency of an addition in every instruction set.
constexpr size accumulators = 64;
// Sums of so many floats are carried on in double precision.
constexpr size run = 4096;

template <class T, class Sum>
Sum sum_row(const T* row, size count) {
  Sum total = 0;
  for (size begin = 0; begin < count; begin += run) {
    const size end = begin + run < count ? begin + run : count;
    T sums[accumulators] = {};
    size i = begin;
    for (; i + accumulators <= end; i += accumulators) {
      for (size j = 0; j < accumulators; ++j) sums[j] += row[i + j];
    }
    for (size j = 0; i < end; ++i, ++j) sums[j] += row[i];
    for (size width = accumulators / 2; width > 0; width /= 2) {
      for (size j = 0; j < width; ++j) sums[j] += sums[j + width];
    }
    total += static_cast<Sum>(sums[0]);
  }
  return total;
}

// 32-bit integers may not be added as such: their sum need not fit.
std::int64_t sum_row_of_int32(const std::int32_t* row, size count) {
  std::int64_t total = 0;
  for (size i = 0; i < count; ++i) total += row[i];
  return total;
}

// What is not a number is larger than every number, as in NumPy.
template <class T>
inline __attribute__((always_inline)) bool above(T value, T other) {
  return value > other || (not_a_number(value) && !not_a_number(other));
}

template <class T>
T largest_of(const T* row, size count) {
  T best[accumulators];
  size i = 0;
  for (size j = 0; j < accumulators; ++j) best[j] = row[j < count ? j : 0];
  for (; i + accumulators <= count; i += accumulators) {
    for (size j = 0; j < accumulators; ++j) {
      const T value = row[i + j];
      best[j] = value > best[j] || not_a_number(value) ? value : best[j];
    }
  }
  for (; i < count; ++i) best[0] = above(row[i], best[0]) ? row[i] : best[0];
  T result = best[0];
  for (size j = 1; j < accumulators; ++j) result = above(best[j], result) ? best[j] : result;
  return result;
}

template <class T>
void reduce_row_of(reduction operation, const T* row, size count, partial& result) {
  constexpr bool real = static_cast<T>(0.5) != static_cast<T>(0);
  if (operation == reduction::sum) {
    if constexpr (real) {
      result.real = sum_row<T, double>(row, count);
    } else if constexpr (sizeof(T) == 4) {
      result.integer = sum_row_of_int32(row, count);
    } else {
      result.integer = sum_row<T, std::int64_t>(row, count);
    }
    return;
  }
  const T best = largest_of(row, count);
  if constexpr (real) {
    result.real = static_cast<double>(best);
  } else {
    result.integer = best;
  }
  result.index = 0;
  if (operation == reduction::argmax) {
    while (row[result.index] != best && !(not_a_number(best) && not_a_number(row[result.index])))
      ++result.index;
  }
}

// Columns are taken in one pass over the rows, `width` of them at a time.
template <class T>
void reduce_columns_of(reduction operation, const T* first, size count, size stride, size width,
                       partial* results) {
  constexpr bool real = static_cast<T>(0.5) != static_cast<T>(0);
  constexpr size widest = 256;
  if (operation == reduction::sum) {
    for (size column = 0; column < width; ++column) results[column] = {};
    for (size begin = 0; begin < count; begin += accumulators) {
      const size end = begin + accumulators < count ? begin + accumulators : count;
      if constexpr (real) {
        T sums[widest] = {};
        for (size k = begin; k < end; ++k) {
          for (size column = 0; column < width; ++column) sums[column] += first[k * stride + column];
        }
        for (size column = 0; column < width; ++column)
          results[column].real += static_cast<double>(sums[column]);
      } else {
        std::int64_t sums[widest] = {};
        for (size k = begin; k < end; ++k) {
          for (size column = 0; column < width; ++column) sums[column] += first[k * stride + column];
        }
        for (size column = 0; column < width; ++column) results[column].integer += sums[column];
      }
    }
    return;
  }
  T best[widest];
  std::int64_t where[widest] = {};
  for (size column = 0; column < width; ++column) best[column] = first[column];
  for (size k = 1; k < count; ++k) {
    for (size column = 0; column < width; ++column) {
      const T value = first[k * stride + column];
      const bool larger = above(value, best[column]);
      best[column] = larger ? value : best[column];
      where[column] = larger ? k : where[column];
    }
  }
  for (size column = 0; column < width; ++column) {
    if constexpr (real) {
      results[column].real = static_cast<double>(best[column]);
    } else {
      results[column].integer = best[column];
    }
    results[column].index = where[column];
  }
}

}  // namespace

void binary(const binary_arguments& arguments) {
  switch (arguments.type) {
    case number::float32:
      return binary_of<float>(arguments);
    case number::float64:
      return binary_of<double>(arguments);
    case number::int32:
      return binary_of<std::int32_t>(arguments);
    case number::int64:
      return binary_of<std::int64_t>(arguments);
  }
}

void unary(unary_operation operation, const float* input, float* output, std::int64_t count) {
  switch (operation) {
    case unary_operation::negate:
      return unary_loop(input, output, count, [](vec x) { return -x; });
    case unary_operation::absolute:
      return unary_loop(input, output, count, [](vec x) { return absolute(x); });
    case unary_operation::square:
      return unary_loop(input, output, count, [](vec x) { return x * x; });
    case unary_operation::square_root:
      for (size i = 0; i < count; ++i) output[i] = __builtin_sqrtf(input[i]);
      return;
    case unary_operation::exponential:
      return unary_loop(input, output, count, [](vec x) { return exponential(x); });
    case unary_operation::logarithm:
      return unary_loop(input, output, count, [](vec x) { return logarithm(x); });
    case unary_operation::tanh:
      return unary_loop(input, output, count, [](vec x) { return hyperbolic_tangent(x); });
    case unary_operation::sigmoid:
      return unary_loop(input, output, count, [](vec x) { return 1.0F / (1.0F + exponential(-x)); });
    case unary_operation::relu:
      return unary_loop(input, output, count, [](vec x) { return max(vec{}, x); });
    case unary_operation::gelu:
      return unary_loop(input, output, count, [](vec x) { return gaussian_error_unit(x); });
  }
}

void reduce_row(reduction operation, number type, const void* row, std::int64_t count, partial& result) {
  switch (type) {
    case number::float32:
      return reduce_row_of(operation, static_cast<const float*>(row), count, result);
    case number::float64:
      return reduce_row_of(operation, static_cast<const double*>(row), count, result);
    case number::int32:
      return reduce_row_of(operation, static_cast<const std::int32_t*>(row), count, result);
    case number::int64:
      return reduce_row_of(operation, static_cast<const std::int64_t*>(row), count, result);
  }
}

void reduce_columns(reduction operation, number type, const void* first, std::int64_t count,
                    std::int64_t stride, std::int64_t width, partial* results) {
  switch (type) {
    case number::float32:
      return reduce_columns_of(operation, static_cast<const float*>(first), count, stride, width, results);
    case number::float64:
      return reduce_columns_of(operation, static_cast<const double*>(first), count, stride, width, results);
    case number::int32:
      return reduce_columns_of(operation, static_cast<const std::int32_t*>(first), count, stride, width,
                               results);
    case number::int64:
      return reduce_columns_of(operation, static_cast<const std::int64_t*>(first), count, stride, width,
                               results);
  }
}

double sum_of_squares(const float* values, std::int64_t count) {
  double total = 0.0;
  for (size begin = 0; begin < count; begin += run) {
    const size end = begin + run < count ? begin + run : count;
    float sums[accumulators] = {};
    size i = begin;
    for (; i + accumulators <= end; i += accumulators) {
      for (size j = 0; j < accumulators; ++j) sums[j] += values[i + j] * values[i + j];
    }
    for (size j = 0; i < end; ++i, ++j) sums[j] += values[i] * values[i];
    for (size width = accumulators / 2; width > 0; width /= 2) {
      for (size j = 0; j < width; ++j) sums[j] += sums[j + width];
    }
    total += static_cast<double>(sums[0]);
  }
  return total;
}

}  // namespace weft::detail::WEFT_ISA
