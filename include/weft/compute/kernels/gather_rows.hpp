#pragma once

#include <weft/compute/cpu_context.hpp>
#include <weft/compute/cuda_context.hpp>
#include <weft/compute/detail/array.hpp>
#include <weft/compute/tensor.hpp>

#include <cstddef>      // for std::byte
#include <cstdint>      // for std::int64_t
#include <type_traits>  // for std::type_identity_t

namespace weft {

namespace detail {

void gather(const cpu_context& context, const std::byte* source, std::int64_t source_rows,
            std::int64_t row_bytes, tensor_view<const std::int64_t, 1> rows, std::byte* output);
void gather(const cuda_context& context, const std::byte* source, std::int64_t source_rows,
            std::int64_t row_bytes, tensor_view<const std::int64_t, 1> rows, std::byte* output);

}  // namespace detail

/// Kernel: output row i is row rows[i] of the source, for elements of any type.
///
/// Thread safety: safe; the views' elements must not be written by others while it runs.
struct gather_rows {
  /// @param context where it runs; @param source [any, columns]; @param rows [count], each a row of the
  /// source
  /// @param output [count, columns], overwritten
  ///
  /// Throws shape_error, naming both shapes, unless they fit; invalid_argument naming the first row that is
  /// out of range. Nothing has been written then: on a GPU the kernel waits for the check of the rows.
  template <detail::any_context Context, class T>
  void operator()(const Context& context, std::type_identity_t<tensor_view<const T, 2>> source,
                  tensor_view<const std::int64_t, 1> rows, tensor_view<T, 2> output) const {
    require_same_shape("gather_rows", "output", output.extents(), "the chosen rows of the source",
                       shape<2>{rows.extent(0), source.extent(1)});
    detail::gather(context, reinterpret_cast<const std::byte*>(source.data()), source.extent(0),
                   source.extent(1) * static_cast<std::int64_t>(sizeof(T)), rows,
                   reinterpret_cast<std::byte*>(output.data()));
  }
};

}  // namespace weft
