#pragma once

#include <weft/serve/served_model.hpp>

#include <simdjson.h>

#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::int64_t
#include <string>   // for std::string
#include <vector>   // for std::vector

namespace weft::detail {

/// Extents that a tensor may have.
inline constexpr std::size_t largest_rank = 16;

/// The elements of a tensor, flat or nested. Throws http_error, naming the element.
///
/// @param count the elements of the shape; @param outer how many of the shape's first extents, all 1, the
/// nesting leaves out
inference_tensor tensor_from_json(simdjson::dom::element data, const tensor_spec& spec,
                                  std::vector<std::int64_t> shape, std::int64_t count,
                                  const std::string& field, std::size_t outer = 0);

/// The extents of nested arrays, by the first of each.
std::vector<std::int64_t> nested_shape(simdjson::dom::element data, const std::string& field);

/// [1,2,3,4]; numbers that JSON does not know are null.
void append_flat_json(std::string& text, const inference_tensor& tensor);

/// [[1,2],[3,4]], or of its only item.
void append_nested_json(std::string& text, const inference_tensor& tensor, bool single);

}  // namespace weft::detail
