#pragma once

#include <weft/compute/tensor.hpp>
#include <weft/core/philox.hpp>

#include <cstdint>

/// Standard normal numbers times `scale`.
template <int Rank>
weft::tensor<float, Rank> random_tensor(const weft::shape_of_rank<Rank>& extents, std::uint64_t seed,
                                        double scale = 1.0) {
  const weft::philox random(seed);
  weft::tensor<float, Rank> result(extents);
  std::uint64_t index = 0;
  for (float& element : result.elements()) element = static_cast<float>(scale * random.normal(index++));
  return result;
}

/// Labels in [0, classes).
inline weft::tensor<std::int32_t, 1> random_labels(std::int64_t count, std::int64_t classes,
                                                   std::uint64_t seed) {
  const weft::philox random(seed);
  weft::tensor<std::int32_t, 1> result({count});
  std::uint64_t index = 0;
  for (std::int32_t& label : result.elements()) {
    label = static_cast<std::int32_t>(random.below(index++, static_cast<std::uint64_t>(classes)));
  }
  return result;
}
