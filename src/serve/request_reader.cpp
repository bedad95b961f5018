#include <serve/request_reader.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/rfc7230.hpp>

#include <algorithm>  // for std::min
#include <charconv>   // for std::from_chars
#include <cstring>    // for std::memcpy

namespace weft::detail {
namespace {

namespace http = boost::beast::http;

constexpr const char* json_length_header = "Inference-Header-Content-Length";
constexpr std::size_t chunk_room = 16 * 1024;

[[noreturn]] void refuse_read(const boost::system::error_code& problem, const server_limits& limits) {
  if (problem == http::error::header_limit) {
    throw http_error(
        431, "the headers have more than the limit of " + std::to_string(limits.header_bytes) + " bytes");
  }
  if (problem == http::error::body_limit) {
    throw http_error(413,
                     "the body has more than the limit of " + std::to_string(limits.body_bytes) + " bytes");
  }
  throw http_error(400, "the request is not well-formed HTTP/1.1: " + problem.message());
}

}  // namespace

request_reader::request_reader(const server_limits& limits) : limits_(limits) {
  parser_.header_limit(static_cast<std::uint32_t>(limits.header_bytes));
  parser_.body_limit(limits.body_bytes);
}

void request_reader::take(std::string& input) {
  if (input.empty() || done_) return;
  begun_ = true;
  if (!headers_done_) take_headers(input);
  if (!headers_done_ || done_) return;
  if (chunked_) {
    take_chunks(input);
    return;
  }
  const std::span<std::byte> room = body_room();
  const std::size_t size = std::min(room.size(), input.size());
  if (size != 0) std::memcpy(room.data(), input.data(), size);
  input.erase(0, size);
  body_grew(size);
}

void request_reader::take_headers(std::string& input) {
  boost::system::error_code problem;
  const std::size_t used = parser_.put(boost::asio::buffer(input), problem);
  input.erase(0, used);
  if (problem && problem != http::error::need_more) refuse_read(problem, limits_);
  if (!parser_.is_header_done()) return;
  const auto& message = parser_.get();
  request_.method = message.method_string();
  const std::string_view target(message.target().data(), message.target().size());
  request_.path = target.substr(0, target.find('?'));
  const auto text = [&](const auto& name) { return std::string(message[name]); };
  request_.content_type = text(http::field::content_type);
  request_.content_encoding = text(http::field::content_encoding);
  request_.accept_encoding = text(http::field::accept_encoding);
  request_.authorization = text(http::field::authorization);
  if (message.find(json_length_header) != message.end()) request_.json_length = text(json_length_header);
  keep_alive_ = message.keep_alive();
  version_ = message.version();
  headers_done_ = true;
  chunked_ = parser_.chunked();
  if (chunked_ && message.count(http::field::content_length) != 0) {
    throw http_error(400, "the request has both Content-Length and Transfer-Encoding");
  }
  if (chunked_) return;
  const std::uint64_t size = parser_.content_length().value_or(0);
  // The binary tensors begin behind the JSON: there the memory is aligned for them.
  std::size_t json_size = 0;
  if (request_.json_length && request_.content_encoding.empty()) {
    const std::string& given = *request_.json_length;
    std::from_chars(given.data(), given.data() + given.size(), json_size);
  }
  request_.body = byte_block(size, std::min<std::size_t>(json_size, size));
  done_ = size == 0;
}

void request_reader::take_chunks(std::string& input) {
  std::array<char, chunk_room> room;
  while (!input.empty() && !parser_.is_done()) {
    auto& body = parser_.get().body();
    body.data = room.data();
    body.size = room.size();
    body.more = true;
    boost::system::error_code problem;
    const std::size_t used = parser_.put(boost::asio::buffer(input), problem);
    const auto* const begin = static_cast<const std::byte*>(static_cast<const void*>(room.data()));
    rest_.insert(rest_.end(), begin, begin + (room.size() - body.size));
    input.erase(0, used);
    if (problem && problem != http::error::need_more && problem != http::error::need_buffer)
      refuse_read(problem, limits_);
    if (problem == http::error::need_more && used == 0) {
      // What a chunk's header or the trailers may take before their end has come.
      if (input.size() > limits_.header_bytes) refuse_read(http::error::header_limit, limits_);
      return;
    }
  }
  if (!parser_.is_done()) return;
  request_.body = byte_block(rest_.size());
  if (!rest_.empty()) std::memcpy(request_.body.data(), rest_.data(), rest_.size());
  done_ = true;
}

bool request_reader::expects_continue() const {
  return headers_done_ && !done_ && boost::beast::iequals(parser_.get()[http::field::expect], "100-continue");
}

std::span<std::byte> request_reader::body_room() const noexcept {
  if (!headers_done_ || chunked_) return {};
  return request_.body.bytes().subspan(have_);
}

void request_reader::body_grew(std::size_t size) {
  have_ += size;
  done_ = have_ == request_.body.size();
}

}  // namespace weft::detail
