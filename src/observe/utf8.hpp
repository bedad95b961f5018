#pragma once

#include <cstddef>      // for std::size_t
#include <string_view>  // for std::string_view

namespace weft::detail {

// One character of a text.
struct utf8_character {
  char32_t code;       // 0xFFFD for a byte that starts no valid sequence
  std::size_t length;  // in bytes, at least 1
  bool valid;
};

// The first character of a text that is not empty (RFC 3629: no overlong forms, no surrogates).
utf8_character next_utf8(std::string_view text) noexcept;

// How many columns of a terminal a character takes: 2 for East Asian wide ones and emoji, else 1.
int columns_of(char32_t code) noexcept;

}  // namespace weft::detail
