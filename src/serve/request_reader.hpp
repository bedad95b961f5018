#pragma once

#include <serve/http_message.hpp>
#include <weft/serve/server_options.hpp>

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <array>    // for std::array
#include <cstddef>  // for std::byte, std::size_t
#include <span>     // for std::span
#include <string>   // for std::string
#include <utility>  // for std::move
#include <vector>   // for std::vector

namespace weft::detail {

/// Puts one request together from the bytes of a connection, and throws http_error for one that is malformed
/// or too large. It neither reads nor waits.
class request_reader {
 public:
  explicit request_reader(const server_limits& limits);

  /// Takes what it can from the front of `input`, which it shortens.
  void take(std::string& input);

  bool has_begun() const noexcept { return begun_; }
  bool has_headers() const noexcept { return headers_done_; }
  bool done() const noexcept { return done_; }
  /// Whether the client waits to be told that it may send the body.
  bool expects_continue() const;
  bool keep_alive() const noexcept { return keep_alive_; }
  bool is_http_1_1() const noexcept { return version_ == 11; }

  /// Where the next bytes of the body belong, so that they can be read there; empty if that is not known.
  std::span<std::byte> body_room() const noexcept;
  /// That many were read there.
  void body_grew(std::size_t size);

  /// The request, once it is done.
  http_request finish() { return std::move(request_); }

 private:
  void take_headers(std::string& input);
  void take_chunks(std::string& input);

  const server_limits& limits_;
  boost::beast::http::request_parser<boost::beast::http::buffer_body> parser_;
  http_request request_;
  bool begun_ = false;
  bool headers_done_ = false;
  bool done_ = false;
  bool chunked_ = false;
  bool keep_alive_ = false;
  unsigned version_ = 11;
  std::size_t have_ = 0;         // of the body
  std::vector<std::byte> rest_;  // of a chunked body
};

}  // namespace weft::detail
