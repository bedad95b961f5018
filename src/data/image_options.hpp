#pragma once

#include <weft/data/image_options.hpp>

#include <cstdint>  // for std::int64_t, std::uint8_t
#include <span>     // for std::span
#include <string>   // for std::string

namespace weft {

/// Throws invalid_argument, naming whose options they are, if one cannot work.
void check(const image_options& options, const char* whose);

/// Which image it is, and what becomes of it; as in decode_image().
struct wanted_image {
  std::int64_t index;
  const std::string& name;
  const philox& random;
  std::span<float> out;
};

/// Makes the image of what the cache has: the bytes that it had, or 0 if it has nothing or there is no cache.
std::int64_t place_cached(const wanted_image& image, const image_options& options);

/// Makes the image of its file's bytes, and keeps them or its pixels if there is a cache.
void place_file(std::span<const std::uint8_t> content, const wanted_image& image,
                const image_options& options);

}  // namespace weft
