#pragma once

#include <serve/http_message.hpp>

#include <cstddef>      // for std::size_t
#include <string_view>  // for std::string_view

namespace weft::detail {

/// Inflates a body that is gzip or deflate, to at most `most` bytes; throws http_error: 415 for another
/// encoding, 400 for a damaged body and 413 for a large one.
byte_block decode_body(const byte_block& body, std::string_view encoding, std::size_t most);

/// Whether the client takes gzip.
bool accepts_gzip(std::string_view accepted) noexcept;

/// Compresses the response if the client takes gzip and that is worth it.
void encode_response(http_response& response, std::string_view accepted);

}  // namespace weft::detail
