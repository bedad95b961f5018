#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/detail/array.hpp>
#include <weft/compute/kernels/elementwise.hpp>
#include <weft/compute/operations.hpp>
#include <weft/compute/tensor.hpp>

#include <concepts>  // for std::floating_point
#include <cstdint>   // for std::int64_t

namespace weft {

/// The axis of a reduction over all of them.
inline constexpr int all_axes = -1;

namespace detail {

void run_reduction(const cpu_context& context, const char* name, reduction operation, int axis, bool mean,
                   const array& input, const array& output);
void run_reduction(const cuda_context& context, const char* name, reduction operation, int axis, bool mean,
                   const array& input, const array& output);

/// What is common to the reductions: their axis, and the output's shape, which is the input's without that
/// axis; a single element has shape [1].
///
/// Sums are made in parts whose borders depend on the shape alone, so that they are the same bits for any
/// number of threads; parts of floats are added up in double precision, integers in 64 bits.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct reduction_kernel {
  /// The axis that goes, counted from the outermost; all_axes for every one.
  int axis = all_axes;
};

}  // namespace detail

/// Kernel: the sum along an axis; 0 of nothing.
struct reduce_sum : detail::reduction_kernel {
  /// @param context where it runs; @param input dense; @param output overwritten
  ///
  /// Throws shape_error, naming both shapes, unless the output's is the input's without the axis, and
  /// invalid_argument if there is no such axis.
  template <detail::any_context Context, detail::arithmetic_element T, int Rank, detail::array_like<T> Input>
  void operator()(const Context& context, const Input& input, tensor_view<T, Rank> output) const {
    detail::run_reduction(context, "reduce_sum", detail::reduction::sum, axis, false, detail::array_of(input),
                          detail::array_of(output));
  }
};

/// Kernel: the mean along an axis; not a number of nothing. For float and double.
struct reduce_mean : detail::reduction_kernel {
  /// @param context where it runs; @param input dense; @param output overwritten
  ///
  /// Throws shape_error, naming both shapes, unless the output's is the input's without the axis, and
  /// invalid_argument if there is no such axis.
  template <detail::any_context Context, std::floating_point T, int Rank, detail::array_like<T> Input>
  void operator()(const Context& context, const Input& input, tensor_view<T, Rank> output) const {
    detail::run_reduction(context, "reduce_mean", detail::reduction::sum, axis, true, detail::array_of(input),
                          detail::array_of(output));
  }
};

/// Kernel: the largest element along an axis; not a number counts as larger than every number.
struct reduce_max : detail::reduction_kernel {
  /// @param context where it runs; @param input dense; @param output overwritten
  ///
  /// Throws shape_error, naming both shapes, unless the output's is the input's without the axis, and
  /// invalid_argument if there is no such axis or nothing along it.
  template <detail::any_context Context, detail::arithmetic_element T, int Rank, detail::array_like<T> Input>
  void operator()(const Context& context, const Input& input, tensor_view<T, Rank> output) const {
    detail::run_reduction(context, "reduce_max", detail::reduction::maximum, axis, false,
                          detail::array_of(input), detail::array_of(output));
  }
};

/// Kernel: where along an axis the largest element is, the first of equals; not a number counts as larger
/// than every number.
struct argmax : detail::reduction_kernel {
  /// @param context where it runs; @param input dense; @param output overwritten with indices along the axis,
  /// or, for all axes, in memory order
  ///
  /// Throws as reduce_max.
  template <detail::any_context Context, class Input, int Rank>
  requires(detail::arithmetic_element<typename Input::value_type>) void operator()(
      const Context& context, const Input& input, tensor_view<std::int64_t, Rank> output) const {
    detail::run_reduction(context, "argmax", detail::reduction::argmax, axis, false, detail::array_of(input),
                          detail::array_of(output));
  }
};

}  // namespace weft
