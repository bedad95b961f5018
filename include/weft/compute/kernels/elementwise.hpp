#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/detail/array.hpp>
#include <weft/compute/operations.hpp>
#include <weft/compute/tensor.hpp>

#include <concepts>  // for std::same_as
#include <cstdint>   // for std::int32_t, std::int64_t

namespace weft {

namespace detail {

void run_binary(const cpu_context& context, const char* name, binary_operation operation, const array& left,
                const array& right, const array& output);
void run_binary(const cuda_context& context, const char* name, binary_operation operation, const array& left,
                const array& right, const array& output);
void run_unary(const cpu_context& context, const char* name, unary_operation operation, const array& input,
               const array& output);
void run_unary(const cuda_context& context, const char* name, unary_operation operation, const array& input,
               const array& output);

/// The element types of arithmetic.
template <class T>
concept arithmetic_element = std::same_as<T, float> || std::same_as<T, double> ||
    std::same_as<T, std::int32_t> || std::same_as<T, std::int64_t>;

/// Kernel: output = left operation right, element by element, for float, double, int32 and int64. Either
/// operand may have strides, and is repeated to the output's shape by NumPy's rule. The output may be an
/// operand, and overlap it in no other way.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
template <binary_operation Operation>
struct binary_kernel {
  /// @param context where it runs; @param left, right the operands; @param output dense, overwritten
  ///
  /// Throws shape_error, naming both shapes, unless they fit.
  template <any_context Context, arithmetic_element T, int Rank, array_like<T> Left, array_like<T> Right>
  void operator()(const Context& context, const Left& left, const Right& right,
                  tensor_view<T, Rank> output) const {
    static constexpr const char* names[] = {"add", "subtract", "multiply", "divide", "maximum", "minimum"};
    run_binary(context, names[static_cast<int>(Operation)], Operation, array_of(left), array_of(right),
               array_of(output));
  }
};

/// Kernel: output = operation(input), element by element, in float. The output may be the input.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
template <unary_operation Operation>
struct unary_kernel {
  /// @param context where it runs; @param input dense; @param output dense, overwritten
  ///
  /// Throws shape_error, naming both shapes, unless they are equal.
  template <any_context Context, int Rank, array_like<float> Input>
  void operator()(const Context& context, const Input& input, tensor_view<float, Rank> output) const {
    static constexpr const char* names[] = {"negate",    "absolute", "square",  "square_root", "exponential",
                                            "logarithm", "tanh",     "sigmoid", "relu",        "gelu"};
    run_unary(context, names[static_cast<int>(Operation)], Operation, array_of(input), array_of(output));
  }
};

}  // namespace detail

/// Kernel: left + right.
struct add : detail::binary_kernel<detail::binary_operation::add> {};
/// Kernel: left - right.
struct subtract : detail::binary_kernel<detail::binary_operation::subtract> {};
/// Kernel: left * right.
struct multiply : detail::binary_kernel<detail::binary_operation::multiply> {};
/// Kernel: left / right; for integers, right must not be 0.
struct divide : detail::binary_kernel<detail::binary_operation::divide> {};
/// Kernel: the larger one; not a number stays so.
struct maximum : detail::binary_kernel<detail::binary_operation::maximum> {};
/// Kernel: the smaller one; not a number stays so.
struct minimum : detail::binary_kernel<detail::binary_operation::minimum> {};

/// Kernel: -x.
struct negate : detail::unary_kernel<detail::unary_operation::negate> {};
/// Kernel: |x|.
struct absolute : detail::unary_kernel<detail::unary_operation::absolute> {};
/// Kernel: x * x.
struct square : detail::unary_kernel<detail::unary_operation::square> {};
/// Kernel: the square root of x.
struct square_root : detail::unary_kernel<detail::unary_operation::square_root> {};
/// Kernel: e^x, within 2 units in the last place.
struct exponential : detail::unary_kernel<detail::unary_operation::exponential> {};
/// Kernel: the natural logarithm of x, within 2 units in the last place.
struct logarithm : detail::unary_kernel<detail::unary_operation::logarithm> {};
/// Kernel: the hyperbolic tangent of x.
struct hyperbolic_tangent : detail::unary_kernel<detail::unary_operation::tanh> {};
/// Kernel: 1 / (1 + e^-x).
struct sigmoid : detail::unary_kernel<detail::unary_operation::sigmoid> {};
/// Kernel: max(0, x); not a number stays so.
struct relu : detail::unary_kernel<detail::unary_operation::relu> {};
/// Kernel: x times the normal distribution's probability of being below x, within 3e-7 of |x|.
struct gelu : detail::unary_kernel<detail::unary_operation::gelu> {};

}  // namespace weft
