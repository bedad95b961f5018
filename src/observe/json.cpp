#include "observe/json.hpp"

#include <fmt/format.h>

#include <cmath>  // for std::isfinite

#include "observe/utf8.hpp"

namespace weft::detail {

std::string json_string(std::string_view text) {
  std::string result = "\"";
  while (!text.empty()) {
    const utf8_character c = next_utf8(text);
    if (!c.valid) {
      result += '?';
    } else if (c.code == '"' || c.code == '\\') {
      result += '\\';
      result += text[0];
    } else if (c.code < 0x20) {
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(c.code));
    } else {
      result += text.substr(0, c.length);
    }
    text.remove_prefix(c.length);
  }
  return result += '"';
}

std::string json_number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : fmt::format("\"{}\"", value);
}

}  // namespace weft::detail
