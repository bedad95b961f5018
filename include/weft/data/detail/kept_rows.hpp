#pragma once

#include <weft/compute/tensor.hpp>

#include <algorithm>  // for std::copy_n
#include <cstdint>    // for std::int64_t
#include <span>       // for std::span

namespace weft::detail {

/// These rows of a tensor, ascending, one after the other.
template <class T, int Rank>
tensor<T, Rank> kept_rows(const tensor<T, Rank>& all, std::span<const std::int64_t> rows) {
  auto extents = all.extents();
  const std::int64_t width = extents[0] == 0 ? 0 : all.size() / extents[0];
  extents[0] = static_cast<std::int64_t>(rows.size());
  tensor<T, Rank> kept(extents);
  T* to = kept.data();
  for (const std::int64_t row : rows) to = std::copy_n(all.data() + row * width, width, to);
  return kept;
}

}  // namespace weft::detail
