#pragma once

#include <weft/core/error.hpp>
#include <weft/serve/inference_tensor.hpp>

#include <chrono>       // for std::chrono::milliseconds
#include <cstddef>      // for std::byte, std::size_t
#include <memory>       // for std::shared_ptr
#include <optional>     // for std::optional
#include <span>         // for std::span
#include <string>       // for std::string
#include <string_view>  // for std::string_view
#include <vector>       // for std::vector

namespace weft::detail {

/// Bytes that are not initialised, with room behind them for simdjson to read beyond the end.
class byte_block {
 public:
  byte_block() = default;
  /// @param size how many; @param aligned_at the one that is aligned for every type
  explicit byte_block(std::size_t size, std::size_t aligned_at = 0);

  std::byte* data() const noexcept { return memory_.get(); }
  std::size_t size() const noexcept { return size_; }
  std::span<std::byte> bytes() const noexcept { return {memory_.get(), size_}; }
  std::string_view text() const noexcept {
    return {static_cast<const char*>(static_cast<const void*>(memory_.get())), size_};
  }
  const std::shared_ptr<std::byte>& owner() const noexcept { return memory_; }
  /// Forgets the bytes behind the first `size`.
  void shorten(std::size_t size) noexcept { size_ = size; }

 private:
  std::shared_ptr<std::byte> memory_;
  std::size_t size_ = 0;
};

/// A request, as the routes need it.
struct http_request {
  std::string method;
  std::string path;  // without the query
  std::string content_type;
  std::string content_encoding;
  std::string accept_encoding;
  std::string authorization;
  std::optional<std::string> json_length;  // of the header Inference-Header-Content-Length
  byte_block body;
};

/// What is sent for it: the text, then the bytes of the attachments.
struct http_response {
  unsigned status = 200;
  std::string_view content_type = "application/json";  // of something that outlives it
  std::string headers{};                               // further lines, each with its end
  std::string text{};
  std::vector<inference_tensor> attachments{};
  bool close = false;

  std::size_t size() const noexcept;
};

/// A request that is answered with an error.
class http_error : public error {
 public:
  http_error(unsigned status, const std::string& what, std::string headers = {})
      : error(what), status_(status), headers_(std::move(headers)) {}

  unsigned status() const noexcept { return status_; }
  const std::string& headers() const noexcept { return headers_; }

 private:
  unsigned status_;
  std::string headers_;
};

/// Throws http_error with status 400.
[[noreturn]] void refuse(const std::string& what);

/// The header that says when to try again, in whole seconds.
std::string retry_after(std::chrono::milliseconds wait);

/// {"error": what}
http_response error_response(unsigned status, std::string_view what, std::string headers = {});

/// What a request that threw this is answered with; `cancelled` it throws on.
http_response error_response(const std::exception_ptr& failure);

}  // namespace weft::detail
