#pragma once

#include <weft/data/image_target.hpp>

#include <cstdint>  // for std::int64_t, std::uint8_t
#include <span>     // for std::span
#include <string>   // for std::string

namespace weft {

/// Decodes a JPEG, cuts an area out, resizes it, normalises it and writes it as floats, in one pass over its
/// rows: the decoded image is never in memory as a whole.
///
/// Where the area is at least twice, four or eight times the target in both directions, the decoder makes an
/// image of a half, a quarter or an eighth of the size, which is several times faster and averages instead of
/// leaving pixels out; for methods other than bilinear it leaves at least twice the target's pixels, where
/// there are so many. What lies beside the area is decoded as far as its pixels need it, and what lies below
/// is not read, so damage there is not seen.
///
/// Grey images become three equal channels; CMYK is refused, and so are images of more than 2^28 pixels.
///
/// @param content the JPEG file's bytes
/// @param name what errors call it, mostly the path
/// @param target size, flip and scale of the result
/// @param area which part is wanted
/// @param out the result, [target.rows, target.cols, 3], red, green, blue; on an exception unspecified
/// @throws format_error naming the byte up to which it was read, if the content is damaged, ends too soon, or
/// is no JPEG; invalid_argument if the target cannot be, out does not fit it, or the area is not inside
/// Thread safety: safe.
void decode_jpeg(std::span<const std::uint8_t> content, const std::string& name, const image_target& target,
                 const choose_area& area, std::span<float> out);

}  // namespace weft
