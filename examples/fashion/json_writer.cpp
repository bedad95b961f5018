#include "json_writer.hpp"

#include <fmt/core.h>

#include <cmath>  // for std::isfinite

namespace fashion {

json_writer& json_writer::begin_object() {
  separate();
  text_ += '{';
  needs_comma_ = false;
  return *this;
}

json_writer& json_writer::end_object() {
  text_ += '}';
  needs_comma_ = true;
  return *this;
}

json_writer& json_writer::begin_array() {
  separate();
  text_ += '[';
  needs_comma_ = false;
  return *this;
}

json_writer& json_writer::end_array() {
  text_ += ']';
  needs_comma_ = true;
  return *this;
}

json_writer& json_writer::key(std::string_view name) {
  separate();
  quote(name);
  text_ += ':';
  needs_comma_ = false;
  return *this;
}

json_writer& json_writer::value(std::string_view text) {
  separate();
  quote(text);
  return *this;
}

json_writer& json_writer::value(double number, int digits) {
  if (!std::isfinite(number)) return null();
  separate();
  text_ += digits > 0 ? fmt::format("{:.{}g}", number, digits) : fmt::format("{}", number);
  return *this;
}

json_writer& json_writer::value(std::int64_t number) {
  separate();
  text_ += std::to_string(number);
  return *this;
}

json_writer& json_writer::null() {
  separate();
  text_ += "null";
  return *this;
}

void json_writer::separate() {
  if (needs_comma_) text_ += ',';
  needs_comma_ = true;
}

void json_writer::quote(std::string_view text) {
  text_ += '"';
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    if (letter == '"' || letter == '\\') {
      text_ += '\\';
      text_ += letter;
    } else if (code < 0x20 || letter == '<' || letter == '>' || letter == '&') {
      text_ += fmt::format("\\u{:04x}", code);
    } else {
      text_ += letter;
    }
  }
  text_ += '"';
}

}  // namespace fashion
