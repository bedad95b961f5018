#pragma once

#include <cstdint>      // for std::int64_t
#include <string>       // for std::string
#include <string_view>  // for std::string_view

namespace fashion {

/// Writes JSON that may stand inside an HTML script element: '<' is escaped, and a number that is not finite
/// is null.
class json_writer {
 public:
  json_writer& begin_object();
  json_writer& end_object();
  json_writer& begin_array();
  json_writer& end_array();
  /// The name of the next value of an object.
  json_writer& key(std::string_view name);
  json_writer& value(std::string_view text);
  json_writer& value(const char* text) { return value(std::string_view(text)); }
  /// @param digits significant digits, 0 for as many as it takes to read the same number back
  json_writer& value(double number, int digits = 0);
  json_writer& value(std::int64_t number);
  json_writer& value(int number) { return value(std::int64_t{number}); }
  json_writer& null();

  /// What has been written.
  const std::string& text() const noexcept { return text_; }

 private:
  void separate();
  void quote(std::string_view text);

  std::string text_;
  bool needs_comma_ = false;
};

}  // namespace fashion
