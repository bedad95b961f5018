#include <compute/isa/arithmetic.hpp>
#include <compute/isa/math.hpp>

// Elementwise operations: loops that the compiler turns into vector code.

namespace weft::detail::WEFT_ISA {
namespace {

constexpr size register_bytes = lanes * static_cast<size>(sizeof(float));

template <class T>
size elements_until_aligned(const T* output) {
  const size beyond = static_cast<size>(reinterpret_cast<std::uintptr_t>(output)) % register_bytes;
  return (register_bytes - beyond) % register_bytes / static_cast<size>(sizeof(T));
}

// output[i] = element(i). What is streamed needs a fence afterwards.
template <class T, class Element>
inline __attribute__((always_inline)) void write_all(T* output, size count, bool streamed,
                                                     const Element& element) {
  size i = 0;
  if (streamed) {
    constexpr size together = register_bytes / static_cast<size>(sizeof(T));
    constexpr size registers = 4;
    const auto write = [&](auto number, size first) __attribute__((always_inline)) {
      alignas(register_bytes) T values[number.value * together];
      for (size j = 0; j < number.value * together; ++j) values[j] = element(first + j);
      stream<number.value>(output + first, values);
    };
    const size unaligned = elements_until_aligned(output);
    for (; i < unaligned && i < count; ++i) output[i] = element(i);
    for (; i + registers * together <= count; i += registers * together) write(constant<registers>{}, i);
    for (; i + together <= count; i += together) write(constant<1>{}, i);
  }
  for (; i < count; ++i) output[i] = element(i);
}

template <class T, class Operation>
void binary_loop(const binary_arguments& arguments, const Operation& apply) {
  const size left_step = arguments.left.step;
  const size right_step = arguments.right.step;
  const size columns = arguments.columns;
  // Elements one behind the other, or one over and over, make vector code.
  const auto each_row = [&](const auto& element) __attribute__((always_inline)) {
    for (size row = 0; row < arguments.rows; ++row) {
      const T* const left = static_cast<const T*>(arguments.left.data) + row * arguments.left.row_step;
      const T* const right = static_cast<const T*>(arguments.right.data) + row * arguments.right.row_step;
      write_all(static_cast<T*>(arguments.output) + row * columns, columns, arguments.streamed,
                element(left, right));
    }
  };
  if (left_step == 1 && right_step == 1) {
    each_row([&](const T* left, const T* right) { return [=](size i) { return apply(left[i], right[i]); }; });
  } else if (left_step == 1 && right_step == 0) {
    each_row([&](const T* left, const T* right) {
      return [=, value = *right](size i) { return apply(left[i], value); };
    });
  } else if (left_step == 0 && right_step == 1) {
    each_row([&](const T* left, const T* right) {
      return [=, value = *left](size i) { return apply(value, right[i]); };
    });
  } else {
    each_row([&](const T* left, const T* right) {
      return [=](size i) { return apply(left[i * left_step], right[i * right_step]); };
    });
  }
  if (arguments.streamed) stream_fence();
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

// A short row that is repeated under a matrix of such rows: copies of it side by side make longer rows.
template <class T>
void binary_of_short_rows(const binary_arguments& arguments) {
  constexpr size widest = 512;
  const size columns = arguments.columns;
  const size copies = widest / columns;
  const bool right_repeated = arguments.right.row_step == 0;
  T row[widest];
  const T* const repeated =
      static_cast<const T*>(right_repeated ? arguments.right.data : arguments.left.data);
  for (size copy = 0; copy < copies; ++copy) {
    for (size column = 0; column < columns; ++column) row[copy * columns + column] = repeated[column];
  }
  const auto run = [&](size begin, size rows, size together) {
    binary_arguments part = arguments;
    const stepped_matrix wide{row, 0, 1};
    const auto dense = [&](const stepped_matrix& matrix) {
      return stepped_matrix{static_cast<const T*>(matrix.data) + begin * columns, together * columns, 1};
    };
    part.left = right_repeated ? dense(arguments.left) : wide;
    part.right = right_repeated ? wide : dense(arguments.right);
    part.output = static_cast<T*>(arguments.output) + begin * columns;
    part.rows = rows;
    part.columns = together * columns;
    binary_of<T>(part);
  };
  const size whole = arguments.rows / copies;
  run(0, whole, copies);
  if (whole * copies < arguments.rows) run(whole * copies, 1, arguments.rows - whole * copies);
}

template <class T>
void binary_of_type(const binary_arguments& arguments) {
  const auto [left, left_row, left_step] = arguments.left;
  const auto [right, right_row, right_step] = arguments.right;
  const bool dense = left_step == 1 && right_step == 1;
  const bool repeats =
      (left_row == 0 && right_row == arguments.columns) || (right_row == 0 && left_row == arguments.columns);
  if (dense && repeats && arguments.rows > 1 && arguments.columns <= 128) {
    binary_of_short_rows<T>(arguments);
  } else {
    binary_of<T>(arguments);
  }
}

template <class Function>
void unary_loop(const unary_arguments& arguments, const Function& apply) {
  const float* const input = arguments.input;
  float* const output = arguments.output;
  const size count = arguments.count;
  size i = 0;
  if (arguments.streamed) {
    i = elements_until_aligned(output);
    if (i > count) i = count;
    if (i > 0) store_some(output, apply(load_some(input, i)), i);
    for (; i + lanes <= count; i += lanes) {
      const vec value = apply(load(input + i));
      stream<1>(output + i, &value);
    }
    stream_fence();
  }
  for (; i + lanes <= count; i += lanes) store(output + i, apply(load(input + i)));
  if (i < count) store_some(output + i, apply(load_some(input + i, count - i)), count - i);
}

}  // namespace

void binary(const binary_arguments& arguments) {
  switch (arguments.type) {
    case number::float32:
      return binary_of_type<float>(arguments);
    case number::float64:
      return binary_of_type<double>(arguments);
    case number::int32:
      return binary_of_type<std::int32_t>(arguments);
    case number::int64:
      return binary_of_type<std::int64_t>(arguments);
  }
}

void unary(const unary_arguments& arguments) {
  switch (arguments.operation) {
    case unary_operation::negate:
      return unary_loop(arguments, [](vec x) { return -x; });
    case unary_operation::absolute:
      return unary_loop(arguments, [](vec x) { return absolute(x); });
    case unary_operation::square:
      return unary_loop(arguments, [](vec x) { return x * x; });
    case unary_operation::square_root:
      return unary_loop(arguments, [](vec x) { return square_root(x); });
    case unary_operation::exponential:
      return unary_loop(arguments, [](vec x) { return exponential(x); });
    case unary_operation::logarithm:
      return unary_loop(arguments, [](vec x) { return logarithm(x); });
    case unary_operation::tanh:
      return unary_loop(arguments, [](vec x) { return hyperbolic_tangent(x); });
    case unary_operation::sigmoid:
      return unary_loop(arguments, [](vec x) { return 1.0F / (1.0F + exponential(-x)); });
    case unary_operation::relu:
      return unary_loop(arguments, [](vec x) { return max(vec{}, x); });
    case unary_operation::gelu:
      return unary_loop(arguments, [](vec x) { return gaussian_error_unit(x); });
  }
}

}  // namespace weft::detail::WEFT_ISA
