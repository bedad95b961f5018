#pragma once

#include <string>       // for std::string
#include <string_view>  // for std::string_view

namespace weft::detail {

// The text as a JSON string with its quotes: control characters escaped, bytes that are not UTF-8 replaced by
// '?'.
std::string json_string(std::string_view text);

// The number as JSON, which knows neither infinities nor NaN: those become strings.
std::string json_number(double value);

}  // namespace weft::detail
