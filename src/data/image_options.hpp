#pragma once

#include <weft/data/image_options.hpp>

namespace weft {

/// Throws invalid_argument, naming whose options they are, if one cannot work.
void check(const image_options& options, const char* whose);

}  // namespace weft
