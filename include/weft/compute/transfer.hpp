#pragma once

#include <weft/async/task.hpp>
#include <weft/compute/executor.hpp>
#include <weft/compute/tensor.hpp>

#include <cstddef>      // for std::size_t
#include <cstring>      // for std::memcpy
#include <type_traits>  // for std::remove_const_t
#include <utility>      // for std::move

namespace weft {

namespace detail {

/// Kernel: copies bytes to, from or within the executor's memory.
struct copy_bytes {
  const void* from;
  void* to;
  std::size_t bytes;

  void operator()(const cpu_context&) const {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }
  void operator()(const cuda_context& context) const {
    if (bytes > 0) context.copy(to, from, bytes);
  }
};

template <class T, int Rank>
copy_bytes copy_of(tensor_view<const T, Rank> from, tensor<T, Rank>& to) {
  return {from.data(), to.data(), static_cast<std::size_t>(from.size()) * sizeof(T)};
}

}  // namespace detail

/// Copies elements into the memory that an executor's kernels compute in, in turn with its kernels.
///
/// @param target the executor; @param source the elements, in host memory or in the executor's, which must
/// stay alive until then
///
/// Throws what the memory's allocate() throws; kernel_error if the copy fails.
///
/// Cancellation: as executor_base.
template <executor E, class T, int Rank>
task<tensor<std::remove_const_t<T>, Rank>> to(E& target, tensor_view<T, Rank> source) {
  using element = std::remove_const_t<T>;
  auto memory = target.source();
  tensor<element, Rank> result = memory == nullptr
                                     ? tensor<element, Rank>(source.extents())
                                     : tensor<element, Rank>(source.extents(), std::move(memory));
  const detail::copy_bytes copying = detail::copy_of<element, Rank>(source, result);
  co_await target.run(copying);
  co_return result;
}

/// Copies elements that an executor's kernels compute with into host memory, in turn with its kernels.
///
/// @param owner the executor; @param source the elements, which must stay alive until then
///
/// Cancellation: as executor_base.
template <executor E, class T, int Rank>
task<tensor<std::remove_const_t<T>, Rank>> to_host(E& owner, tensor_view<T, Rank> source) {
  using element = std::remove_const_t<T>;
  tensor<element, Rank> result(source.extents());
  const detail::copy_bytes copying = detail::copy_of<element, Rank>(source, result);
  co_await owner.run(copying);
  co_return result;
}

}  // namespace weft
