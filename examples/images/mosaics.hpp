#pragma once

#include <weft/pool/thread_pool.hpp>

#include <cstdint>  // for std::int64_t
#include <string>   // for std::string

namespace images {

/// Writes JPEG files of 256 to 500 pixels a side, quality 90, into folder/train and folder/test, one folder a
/// class: mosaics of pictures of one class of Fashion-MNIST on a slope of colour, with a photograph's grain.
/// The same count gives the same pixels on every machine.
///
/// @param pool whose threads draw; @param fashion the folder of the IDX files; @param folder where to
/// @param count how many; a fifth of them are for testing
void write_mosaics(weft::thread_pool& pool, const std::string& fashion, const std::string& folder,
                   std::int64_t count);

}  // namespace images
