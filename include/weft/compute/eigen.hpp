#pragma once

// Not part of <weft/compute.hpp>: it brings Eigen's headers, which take a second to compile.

#include <weft/compute/tensor.hpp>

#include <Eigen/Core>

#include <cstdint>      // for std::int64_t
#include <type_traits>  // for std::conditional_t, std::is_const_v

namespace weft {

namespace detail {

template <class T, class Plain>
using eigen_of = std::conditional_t<std::is_const_v<T>, const Plain, Plain>;

}  // namespace detail

/// A matrix as Eigen sees it, without a copy; what the view shows must stay alive. Throws invalid_argument
/// for a GPU's memory.
///
/// Thread safety: as reading the elements.
template <class T>
auto as_eigen(tensor_view<T, 2> matrix) {
  detail::require_host("as_eigen", matrix.where());
  using plain = Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<detail::eigen_of<T, plain>>(matrix.data(), matrix.extent(0), matrix.extent(1));
}

/// A matrix with strides as Eigen sees it.
template <class T>
auto as_eigen(strided_view<T, 2> matrix) {
  detail::require_host("as_eigen", matrix.where());
  using plain = Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  return Eigen::Map<detail::eigen_of<T, plain>, Eigen::Unaligned, strides>(
      matrix.data(), matrix.extent(0), matrix.extent(1), strides(matrix.stride(0), matrix.stride(1)));
}

/// A vector as Eigen sees it.
template <class T>
auto as_eigen(tensor_view<T, 1> vector) {
  detail::require_host("as_eigen", vector.where());
  using plain = Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, 1>;
  return Eigen::Map<detail::eigen_of<T, plain>>(vector.data(), vector.extent(0));
}

/// A matrix or vector of Eigen's, of any storage order, as a view without a copy. It must have memory of its
/// own (a Matrix, Array, Map or Ref) and stay alive.
template <class Derived>
auto as_view(Eigen::DenseBase<Derived>& dense) {
  Derived& matrix = dense.derived();
  using element = std::remove_reference_t<decltype(*matrix.data())>;
  return strided_view<element, 2>(matrix.data(), {matrix.rows(), matrix.cols()},
                                  {matrix.rowStride(), matrix.colStride()});
}
/// The same, read-only.
template <class Derived>
auto as_view(const Eigen::DenseBase<Derived>& dense) {
  const Derived& matrix = dense.derived();
  return strided_view<const typename Derived::Scalar, 2>(matrix.data(), {matrix.rows(), matrix.cols()},
                                                         {matrix.rowStride(), matrix.colStride()});
}

}  // namespace weft
