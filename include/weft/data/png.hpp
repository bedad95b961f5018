#pragma once

#include <weft/data/image_target.hpp>

#include <cstdint>  // for std::uint8_t
#include <span>     // for std::span
#include <string>   // for std::string

namespace weft {

/// Decodes a PNG, cuts an area out, resizes it, normalises it and writes it as floats:
/// decode_jpeg() for PNG files of any kind. Grey becomes three equal channels, of 16 bits the upper eight are
/// taken, transparency is left out, and so is what the file says about gamma, as Pillow does. The decoded
/// image is in memory as a whole.
///
/// Where the area is at least twice, four or eight times the target in both directions, pixels are averaged
/// in squares of so many first, if the method is bilinear.
///
/// @param content the PNG file's bytes
/// @param name what errors call it, mostly the path
/// @param target size, flip and scale of the result
/// @param area which part is wanted
/// @param out the result, [target.rows, target.cols, 3], red, green, blue; on an exception unspecified
/// @throws format_error naming the byte up to which it was read, if the content is damaged, ends too soon, or
/// is no PNG, or has more than 2^28 pixels; invalid_argument if the target cannot be, out does not fit it, or
/// the area is not inside
/// Thread safety: safe.
void decode_png(std::span<const std::uint8_t> content, const std::string& name, const image_target& target,
                const choose_area& area, std::span<float> out);

}  // namespace weft
