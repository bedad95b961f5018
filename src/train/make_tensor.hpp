#pragma once

#include <weft/compute/memory.hpp>
#include <weft/compute/tensor.hpp>

#include <memory>  // for std::shared_ptr

namespace weft::detail {

/// Zeros on the host's heap if source is null; else elements of that memory, not initialised.
template <class T, int Rank>
tensor<T, Rank> make_tensor(const shape_of_rank<Rank>& extents, const std::shared_ptr<memory>& source) {
  if (source == nullptr) return tensor<T, Rank>(extents);
  return tensor<T, Rank>(extents, source);
}

}  // namespace weft::detail
